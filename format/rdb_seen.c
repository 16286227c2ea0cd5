/* rdb_seen.c - a set of strings' fingerprints (see rdb_seen.h). */
#include "format/rdb_seen.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define ROOM_FIRST 64u
#define ROOM_KEPT 4096u

/* The mark's place, or the free one where it belongs. */
static struct rdb_mark *
find(const struct rdb_seen *s, struct rdb_mark m)
{
    size_t i = m.low & (s->room - 1);
    for (;; i = (i + 1) & (s->room - 1)) {
        struct rdb_mark *at = &s->marks[i];
        if ((at->low == m.low && at->high == m.high) || at->high == 0)
            return at;
    }
}

static bool
grow(struct rdb_seen *s)
{
    struct rdb_seen larger = {.room = s->room ? 2 * s->room : ROOM_FIRST, .used = s->used};
    larger.marks = calloc(larger.room, sizeof *larger.marks);
    if (!larger.marks)
        return false;
    for (size_t i = 0; i < s->room; i++)
        if (s->marks[i].high)
            *find(&larger, s->marks[i]) = s->marks[i];
    free(s->marks);
    *s = larger;
    return true;
}

enum rdb_seen_result
rdb_seen_add(struct rdb_seen *s, const void *bytes, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(bytes, n);
    struct rdb_mark m = {h.low64, h.high64 ? h.high64 : 1};
    if (2 * s->used >= s->room && !grow(s))
        return RDB_SEEN_NO_MEMORY;
    struct rdb_mark *at = find(s, m);
    if (at->high)
        return RDB_SEEN_BEFORE;
    *at = m;
    s->used++;
    return RDB_SEEN_NEW;
}

void
rdb_seen_clear(struct rdb_seen *s)
{
    if (s->room > ROOM_KEPT)
        rdb_seen_free(s);
    else if (s->used)
        memset(s->marks, 0, s->room * sizeof *s->marks);
    s->used = 0;
}

void
rdb_seen_free(struct rdb_seen *s)
{
    free(s->marks);
    *s = (struct rdb_seen){0};
}
