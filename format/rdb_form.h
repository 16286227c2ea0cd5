/* rdb_form.h - the types of values that RDB knows: their names, what they mean, and where a value ends.
 *
 * Process: any. Locks: none. Sources: rdb.h.
 */
#ifndef KVSTASH_FORMAT_RDB_FORM_H
#define KVSTASH_FORMAT_RDB_FORM_H

#include "format/rdb_read.h"

enum rdb_family { RDB_STRING, RDB_LIST, RDB_SET, RDB_ZSET, RDB_HASH, RDB_STREAM, RDB_MODULE };

struct rdb_form_row {
    const char *name; /* of this form, for messages; NULL: there is no such type */
    enum rdb_family family;
    /* What the value consists of; letters: s a string, l a length, 8 eight bytes, t a text double. */
    const char *head;    /* before the elements */
    const char *element; /* as often as a length behind the head says; NULL: there is no such length */
};

/* NULL: there is no such type. */
const struct rdb_form_row *rdb_form(unsigned type);
/* As TYPE answers: string, list, set, zset, hash, stream, module. */
const char *rdb_family_name(enum rdb_family family);

/* Steps over a value of this type, from its first byte behind the key: every length is checked, nothing inside strings. */
bool rdb_form_skip(struct rdb_read *r, unsigned type);

/* Steps over the opcodes of a module's value or auxiliary data, to behind its end mark. */
bool rdb_form_skip_module(struct rdb_read *r);
/* The name of a module's type, nine characters and a NUL, from the number that stands for it. */
#define RDB_MODULE_NAME 10u
void rdb_form_module_name(uint64_t id, char name[RDB_MODULE_NAME]);

#endif
