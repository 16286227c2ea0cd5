/* plain.h - text for people that holds what somebody else wrote: names, keys, errors.
 *
 * Control characters and bytes that are no UTF-8 are shown as \xHH, so that nothing of a damaged or foreign file reaches the
 * terminal as it is. Ends of lines in the format itself stay. Process: the programs of cli/.
 */
#ifndef KVSTASH_CLI_PLAIN_H
#define KVSTASH_CLI_PLAIN_H

#include <stdarg.h>
#include <stdio.h>

void plain_printf(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
void plain_vprintf(FILE *to, const char *format, va_list ap);

#endif
