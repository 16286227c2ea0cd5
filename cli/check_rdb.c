/* check_rdb.c - kvstash-cli check: RDB files (see check_rdb.h).
 *
 * Every record is read, every value's structure is looked into, then the checksum is compared. An RDB cannot be made whole by
 * cutting: what can be saved are the keys in front of the damage, by `kvstash-cli export --from`.
 */
#include "cli/check_rdb.h"

#include "cli/progress.h"
#include "format/rdb_in.h"
#include "format/rdb_value.h"

#define DAMAGES_TOLD 10u /* values, in words; more are only counted */

struct counts {
    uint64_t keys, expires, functions, damaged;
};

/* Looks into the value of the current key. */
static void
check_value(struct check *c, const char *path, const struct rdb_in *in, struct rdb_value *v, struct counts *n)
{
    struct buf key;
    struct rdb_read r = rdb_read_of(in->r.bytes, in->from, in->to);
    if (rdb_value_read(v, in->type, &r))
        return;
    if (r.wrong == rdb_no_memory) {
        check_unreadable(c, "out of memory for a value");
        return;
    }
    if (++n->damaged > DAMAGES_TOLD)
        return;
    buf_init(&key);
    rdb_in_print_key(in, &key);
    check_wrong(c, path, "offset %zu: key %.*s in database %llu: %s", r.wrong_at, (int)buf_pending(&key),
                buf_failed(&key) ? "" : buf_head(&key), (unsigned long long)in->db, r.wrong);
    buf_destroy(&key);
}

static void
say_damage(struct check *c, const char *path, const struct rdb_in *in, const struct counts *n)
{
    struct buf text;
    buf_init(&text);
    rdb_in_complain(in, &text);
    check_wrong(c, path, "%.*s", (int)buf_pending(&text), buf_failed(&text) ? "" : buf_head(&text));
    check_say(path, "%llu keys before that can be saved: kvstash-cli export --from", (unsigned long long)n->keys);
    buf_destroy(&text);
}

static enum rdb_in_item
read_records(struct check *c, const char *path, struct rdb_in *in, struct counts *n, struct progress *p)
{
    struct rdb_value v = { .depth = RDB_DEEP };
    enum rdb_in_item item;
    while ((item = rdb_in_next(in)) != RDB_IN_END && item != RDB_IN_WRONG) {
        if (item == RDB_IN_KEY)
            check_value(c, path, in, &v, n);
        n->keys += item == RDB_IN_KEY;
        n->expires += item == RDB_IN_KEY && in->expires_ms >= 0;
        n->functions += item == RDB_IN_FUNCTION;
        progress_at(p, in->r.at, NULL);
    }
    rdb_value_free(&v);
    return item;
}

/* Its records can be read: does its checksum fit? */
static bool
check_sum(struct check *c, const char *path, const struct rdb_in *in, const struct counts *n)
{
    if (!rdb_in_sum_fits(in)) {
        check_wrong(c, path, "offset %zu: the RDB's checksum does not fit: some byte in front of it is not as it was written; which, "
                    "cannot be told. All %llu keys can be read",
                    in->summed, (unsigned long long)n->keys);
        return false;
    }
    check_say(path, "RDB version %u: %llu keys, %llu with an expiry, %llu function libraries; %s", in->version,
              (unsigned long long)n->keys, (unsigned long long)n->expires, (unsigned long long)n->functions,
              in->sum != 0 ? "its checksum is right" : "it has no checksum");
    return true;
}

bool
check_rdb(struct check *c, const char *path, const struct file_map *m, size_t *end)
{
    struct rdb_in in;
    struct progress p;
    struct counts n = { 0 };
    bool ok = false;
    progress_begin(&p, path, PROGRESS_BYTES, 0, m->n, c->o->quiet);
    enum rdb_in_item item = rdb_in_open(&in, m->bytes, m->n) ? read_records(c, path, &in, &n, &p) : RDB_IN_WRONG;
    progress_end(&p);
    if (n.damaged > 0)
        check_wrong(c, path, "%llu values are damaged; the others can be saved: kvstash-cli export --from", (unsigned long long)n.damaged);
    if (item == RDB_IN_WRONG)
        say_damage(c, path, &in, &n);
    else
        ok = check_sum(c, path, &in, &n);
    *end = in.r.at;
    rdb_in_close(&in);
    return ok;
}
