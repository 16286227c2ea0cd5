/* rdb_form.c - types of values (see rdb_form.h).
 *
 * The table says how each type is put together, so that stepping over a value is one loop; only streams and modules have
 * more to them.
 *
 * Process: any. Locks: none. Fails: damaged input is told in the cursor.
 */
#include "format/rdb_form.h"

static const struct rdb_form_row rows[RDB_FORMS] = {
    [RDB_FORM_STRING] = {"string", RDB_STRING, "s", NULL},
    [RDB_FORM_LIST] = {"list", RDB_LIST, "", "s"},
    [RDB_FORM_SET] = {"set", RDB_SET, "", "s"},
    [RDB_FORM_ZSET] = {"zset-v1", RDB_ZSET, "", "st"},
    [RDB_FORM_HASH] = {"hash", RDB_HASH, "", "ss"},
    [RDB_FORM_ZSET_2] = {"zset-v2", RDB_ZSET, "", "s8"},
    [RDB_FORM_MODULE_1] = {"module-v1", RDB_MODULE, "", NULL},
    [RDB_FORM_MODULE_2] = {"module-v2", RDB_MODULE, "l", NULL},
    [RDB_FORM_HASH_ZIPMAP] = {"hash-zipmap", RDB_HASH, "s", NULL},
    [RDB_FORM_LIST_ZIPLIST] = {"list-ziplist", RDB_LIST, "s", NULL},
    [RDB_FORM_SET_INTSET] = {"set-intset", RDB_SET, "s", NULL},
    [RDB_FORM_ZSET_ZIPLIST] = {"zset-ziplist", RDB_ZSET, "s", NULL},
    [RDB_FORM_HASH_ZIPLIST] = {"hash-ziplist", RDB_HASH, "s", NULL},
    [RDB_FORM_LIST_QUICKLIST] = {"quicklist", RDB_LIST, "", "s"},
    [RDB_FORM_STREAM_LISTPACKS] = {"stream", RDB_STREAM, "", "ss"},
    [RDB_FORM_HASH_LISTPACK] = {"hash-listpack", RDB_HASH, "s", NULL},
    [RDB_FORM_ZSET_LISTPACK] = {"zset-listpack", RDB_ZSET, "s", NULL},
    [RDB_FORM_LIST_QUICKLIST_2] = {"quicklist-v2", RDB_LIST, "", "ls"},
    [RDB_FORM_STREAM_LISTPACKS_2] = {"stream-v2", RDB_STREAM, "", "ss"},
    [RDB_FORM_SET_LISTPACK] = {"set-listpack", RDB_SET, "s", NULL},
    [RDB_FORM_STREAM_LISTPACKS_3] = {"stream-v3", RDB_STREAM, "", "ss"},
    [RDB_FORM_HASH_METADATA_PRE_GA] = {"hash-hashtable-md-pre-release", RDB_HASH, "", "lss"},
    [RDB_FORM_HASH_LISTPACK_EX_PRE_GA] = {"hash-listpack-md-pre-release", RDB_HASH, "s", NULL},
    [RDB_FORM_HASH_METADATA] = {"hash-hashtable-md", RDB_HASH, "8", "lss"},
    [RDB_FORM_HASH_LISTPACK_EX] = {"hash-listpack-md", RDB_HASH, "8s", NULL},
};

const struct rdb_form_row *
rdb_form(unsigned type)
{
    return type < RDB_FORMS && rows[type].name ? &rows[type] : NULL;
}

const char *
rdb_family_name(enum rdb_family family)
{
    static const char *const names[] = {"string", "list", "set", "zset", "hash", "stream", "module"};
    return names[family];
}

/* ---- stepping over ------------------------------------------------------------------------------------------------ */

/* Steps over what the letters say (struct rdb_form_row). */
static bool
skip_parts(struct rdb_read *r, const char *letters)
{
    uint64_t n;
    const uint8_t *p;
    bool ok = true;
    for (; *letters && ok; letters++) {
        switch (*letters) {
        case 's':
            ok = rdb_read_skip_string(r);
            break;
        case 'l':
            ok = rdb_read_length(r, &n);
            break;
        case '8':
            ok = rdb_read_bytes(r, 8, &p);
            break;
        case 't':
            ok = rdb_read_skip_text_double(r);
            break;
        }
    }
    return ok;
}

/* A count, and so many times what the letters say. Each takes a byte at least, so the loop ends with the data. */
static bool
skip_counted(struct rdb_read *r, const char *letters)
{
    uint64_t count;
    bool ok = rdb_read_length(r, &count);
    for (; ok && count > 0; count--)
        ok = skip_parts(r, letters);
    return ok;
}

static bool
skip_groups(struct rdb_read *r, unsigned type)
{
    uint64_t groups, consumers;
    bool ok = rdb_read_length(r, &groups);
    for (; ok && groups > 0; groups--) {
        ok = skip_parts(r, type == RDB_FORM_STREAM_LISTPACKS ? "sll" : "slll") && skip_counted(r, "88" "8l") &&
            rdb_read_length(r, &consumers);
        for (; ok && consumers > 0; consumers--)
            ok = skip_parts(r, type == RDB_FORM_STREAM_LISTPACKS_3 ? "s88" : "s8") && skip_counted(r, "88");
    }
    return ok;
}

bool
rdb_form_skip_module(struct rdb_read *r)
{
    static const char *const parts[] = {[RDB_MODULE_SINT] = "l", [RDB_MODULE_UINT] = "l", [RDB_MODULE_FLOAT] = "f",
        [RDB_MODULE_DOUBLE] = "8", [RDB_MODULE_STRING] = "s"};
    uint64_t op;
    const uint8_t *p;
    while (rdb_read_length(r, &op)) {
        if (op == RDB_MODULE_EOF)
            return true;
        if (op > RDB_MODULE_STRING)
            return rdb_read_fail_at(r, r->at - 1, "this opcode of modules' data is not known");
        if (!(op == RDB_MODULE_FLOAT ? rdb_read_bytes(r, 4, &p) : skip_parts(r, parts[op])))
            return false;
    }
    return false;
}

void
rdb_form_module_name(uint64_t id, char name[RDB_MODULE_NAME])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (unsigned i = 0; i < 9; i++) /* 9 letters of 6 bits, then 10 bits of the encoding's version */
        name[i] = letters[id >> (10 + 6 * (8 - i)) & 63];
    name[9] = 0;
}

bool
rdb_form_skip(struct rdb_read *r, unsigned type)
{
    const struct rdb_form_row *row = rdb_form(type);
    if (!row)
        return rdb_read_fail(r, "this type of value is not known");
    if (type == RDB_FORM_MODULE_1)
        return rdb_read_fail(r, "a module's value in the old form does not say where it ends: nobody but the module can read on");
    if (!skip_parts(r, row->head) || (row->element && !skip_counted(r, row->element)))
        return false;
    if (row->family == RDB_MODULE)
        return rdb_form_skip_module(r);
    if (row->family == RDB_STREAM)
        return skip_parts(r, type == RDB_FORM_STREAM_LISTPACKS ? "lll" : "llllllll") && skip_groups(r, type);
    return true;
}
