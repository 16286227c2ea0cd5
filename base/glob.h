/* glob.h - patterns as Redis knows them: * ? [abc] [^a-z] and \ for the next character as it is.
 *
 * A run of stars is one star and only the last star is tried again, so the time is bounded by pattern times text.
 */
#ifndef KVSTASH_BASE_GLOB_H
#define KVSTASH_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool glob_match(const char *pattern, size_t plen, const char *text, size_t len);

#endif
