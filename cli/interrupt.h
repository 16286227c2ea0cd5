/* interrupt.h - SIGINT and SIGTERM as a word to look at, for tools that leave something whole behind.
 *
 * The second signal ends the program at once. Process: the programs of cli/.
 */
#ifndef KVSTASH_CLI_INTERRUPT_H
#define KVSTASH_CLI_INTERRUPT_H

#include <stdbool.h>

void interrupt_catch(void);
/* Has a signal come? */
bool interrupt_seen(void);

#endif
