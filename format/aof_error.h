/* aof_error.h - what is wrong with a file of the log, and where.
 *
 * The sentence names no file: whoever opened it puts the name in front. Process: any.
 */
#ifndef KVSTASH_FORMAT_AOF_ERROR_H
#define KVSTASH_FORMAT_AOF_ERROR_H

#include <stddef.h>
#include <stdint.h>

#define AOF_ERROR_TEXT_MAX 256u

struct aof_error {
    uint64_t offset; /* of the first byte that is wrong, or of the unit (command, group, line) that it belongs to */
    unsigned line;   /* of a manifest, from 1; else 0 */
    char text[AOF_ERROR_TEXT_MAX];
};

/* Fills the error, from a printf format. */
void aof_error_set(struct aof_error *e, uint64_t offset, unsigned line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
