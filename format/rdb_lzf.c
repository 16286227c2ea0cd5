/* rdb_lzf.c - LZF for short strings (see rdb_lzf.h).
 *
 * A position in the table is only a guess, which is compared: 0 for none will do. All positions are noted, every second one is looked
 * up: a match of four bytes or more is found at its first byte or its second, and then taken from the first; one of three bytes
 * makes nothing shorter if literals stand on both sides.
 */
#include "format/rdb_lzf.h"

#include <stdbool.h>
#include <string.h>

#define SLOT_BITS 8
#define MATCH_MIN 3u
#define MATCH_MAX 264u
#define RUN_MAX 32u    /* literals behind one head */
#define LONG_MATCH 7u

struct packer {
    uint8_t *out;
    size_t at, room;
};

static uint32_t
four_bytes(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Of the first three of four bytes. */
static bool
are_same(uint32_t a, uint32_t b)
{
    return (a ^ b) << 8 == 0;
}

static uint16_t *
slot_of(uint16_t *seen, uint32_t v)
{
    return &seen[(v << 8) * 2654435761u >> (32 - SLOT_BITS)];
}

static bool
put_literals(struct packer *p, const uint8_t *bytes, size_t n)
{
    if (p->at + n + (n + RUN_MAX - 1) / RUN_MAX > p->room)
        return false;
    while (n > 0) {
        size_t run = n < RUN_MAX ? n : RUN_MAX;
        p->out[p->at++] = (uint8_t)(run - 1);
        memcpy(p->out + p->at, bytes, run);
        p->at += run;
        bytes += run;
        n -= run;
    }
    return true;
}

/* `len` bytes from `back` bytes before. */
static bool
put_match(struct packer *p, size_t len, size_t back)
{
    size_t code = len - 2, far = back - 1;
    if (p->at + 3 > p->room)
        return false;
    p->out[p->at++] = (uint8_t)(far >> 8 | (code < LONG_MATCH ? code : LONG_MATCH) << 5);
    if (code >= LONG_MATCH)
        p->out[p->at++] = (uint8_t)(code - LONG_MATCH);
    p->out[p->at++] = (uint8_t)far;
    return true;
}

static size_t
match_length(const uint8_t *a, const uint8_t *b, size_t max)
{
    size_t n = MATCH_MIN;
    while (n < max && a[n] == b[n])
        n++;
    return n;
}

size_t
rdb_lzf_short(const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
    uint16_t seen[1u << SLOT_BITS] = {0};
    struct packer p = {.out = out, .room = room};
    size_t at = 0, literals = 0; /* from here on nothing is put yet */
    while (at + 5 <= n) {
        uint32_t v = four_bytes(in + at);
        uint16_t *slot = slot_of(seen, v);
        size_t before = *slot;
        *slot = (uint16_t)at;
        *slot_of(seen, four_bytes(in + at + 1)) = (uint16_t)(at + 1);
        if (before >= at || !are_same(four_bytes(in + before), v)) {
            at += 2;
            continue;
        }
        if (before > 0 && at > literals && in[before - 1] == in[at - 1]) {
            before--;
            at--;
        }
        size_t len = match_length(in + before, in + at, n - at < MATCH_MAX ? n - at : MATCH_MAX);
        if (!put_literals(&p, in + literals, at - literals) || !put_match(&p, len, at - before))
            return 0;
        at += len;
        literals = at;
    }
    return put_literals(&p, in + literals, n - literals) ? p.at : 0;
}
