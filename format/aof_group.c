/* aof_group.c - annotation lines of the log (see aof_group.h).
 *
 * A line is read by reading its fields and rendering them again: what does not give the same bytes is no such line. So there is
 * one description of the form, and no form that is accepted but never written.
 */
#include "format/aof_group.h"

#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/decimal.h"
#include "base/xassert.h"

#define HEAD_START "#KVA "
#define GROUP_START "#KVG "
#define STAMP_START "#TS:"
#define START_BYTES 5u
#define CHECK_DIGITS 8u

/* ---- digits ----------------------------------------------------------------------------------------------------------- */

/* Writes the number in so many digits; returns where they end. */
static char *
put_hex(char *to, uint64_t number, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; number >>= 4)
        to[i] = "0123456789abcdef"[number & 15];
    xassert(number == 0);
    return to + digits;
}

/* Reads so many digits, and moves behind them and the blank that follows. What is no digit gives a wrong number: the line will
 * not be the same when it is rendered again. */
static uint64_t
get_hex(const char **from, unsigned digits)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < digits; i++) {
        unsigned char c = (unsigned char)(*from)[i];
        number = number << 4 | ((c <= '9' ? c - '0' : c - 'a' + 10) & 15);
    }
    *from += digits + 1;
    return number;
}

static uint64_t
seed_of(const struct aof_head *head)
{
    uint64_t half[2];
    memcpy(half, head->lineage, sizeof half);
    return half[0] ^ (half[1] << 1 | half[1] >> 63);
}

/* Puts the check of what stands from `line` to `at`, and the line's end. */
static void
finish_line(char *line, char *at, const struct aof_head *head)
{
    uint64_t hash = XXH3_64bits_withSeed(line, (size_t)(at - line), seed_of(head));
    at = put_hex(at, hash & 0xffffffff, CHECK_DIGITS);
    memcpy(at, "\r\n", 2);
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

void
aof_head_render(char line[AOF_HEAD_LINE], const struct aof_head *head)
{
    char *at = line;
    memcpy(at, HEAD_START "1 ", START_BYTES + 2);
    at += START_BYTES + 2;
    for (unsigned i = 0; i < AOF_LINEAGE_BYTES; i++)
        at = put_hex(at, head->lineage[i], 2);
    *at++ = ' ';
    at = put_hex(at, head->first_ticket, 16);
    *at++ = ' ';
    finish_line(line, at, head);
    xassert(at + CHECK_DIGITS + 2 == line + AOF_HEAD_LINE);
}

void
aof_group_render(char line[AOF_GROUP_LINE], const struct aof_head *head, const struct aof_group *group)
{
    const struct {
        uint64_t number;
        unsigned digits;
    } field[] = { { group->first, 16 }, { group->last, 16 }, { group->durable, 16 }, { group->bytes, 12 }, { group->hash, 16 } };
    char *at = line;
    memcpy(at, GROUP_START, START_BYTES);
    at += START_BYTES;
    for (size_t i = 0; i < sizeof field / sizeof field[0]; i++) {
        at = put_hex(at, field[i].number, field[i].digits);
        *at++ = ' ';
    }
    finish_line(line, at, head);
    xassert(at + CHECK_DIGITS + 2 == line + AOF_GROUP_LINE);
}

uint64_t
aof_group_hash(const struct iovec *piece, size_t pieces)
{
    if (pieces == 1)
        return XXH3_64bits(piece->iov_base, piece->iov_len);
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    for (size_t i = 0; i < pieces; i++)
        XXH3_64bits_update(&state, piece[i].iov_base, piece[i].iov_len);
    return XXH3_64bits_digest(&state);
}

size_t
aof_stamp_render(char line[AOF_STAMP_LINE_MAX], int64_t seconds)
{
    return (size_t)snprintf(line, AOF_STAMP_LINE_MAX, STAMP_START "%lld\r\n", (long long)seconds);
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static bool
read_head(struct aof_line *line, const char *bytes)
{
    char again[AOF_HEAD_LINE];
    const char *at = bytes + START_BYTES + 2;
    for (unsigned i = 0; i < AOF_LINEAGE_BYTES; i++, at--)
        line->head.lineage[i] = (uint8_t)get_hex(&at, 2);
    at++;
    line->head.first_ticket = get_hex(&at, 16);
    aof_head_render(again, &line->head);
    return memcmp(again, bytes, AOF_HEAD_LINE) == 0;
}

/* Do the numbers of a group agree with each other? */
static bool
is_sound(const struct aof_group *g)
{
    return g->bytes == 0 ? g->first - 1 == g->last && g->first > 0 : g->first <= g->last;
}

static bool
read_group(struct aof_line *line, const char *bytes, const struct aof_head *head)
{
    char again[AOF_GROUP_LINE];
    const char *at = bytes + START_BYTES;
    struct aof_group *g = &line->group;
    if (head == NULL)
        return false;
    g->first = get_hex(&at, 16);
    g->last = get_hex(&at, 16);
    g->durable = get_hex(&at, 16);
    g->bytes = get_hex(&at, 12);
    g->hash = get_hex(&at, 16);
    aof_group_render(again, head, g);
    return memcmp(again, bytes, AOF_GROUP_LINE) == 0 && is_sound(g);
}

/* A line of ours of a known length. */
static void
read_own(struct aof_line *line, const char *bytes, size_t n, size_t length, const struct aof_head *head)
{
    bool is_head = length == AOF_HEAD_LINE;
    size_t ends = n < length ? n : length;
    if (n < length && memchr(bytes, '\n', ends) == NULL) {
        line->kind = AOF_LINE_SHORT;
    } else if (n < length || !(is_head ? read_head(line, bytes) : read_group(line, bytes, head))) {
        line->kind = AOF_LINE_BAD;
    } else {
        line->kind = is_head ? AOF_LINE_HEAD : AOF_LINE_GROUP;
        line->bytes = length;
    }
}

static void
read_foreign(struct aof_line *line, const char *bytes, size_t n)
{
    const char *end = memchr(bytes, '\n', n);
    size_t start = sizeof STAMP_START - 1;
    if (end == NULL) {
        line->kind = AOF_LINE_SHORT;
        return;
    }
    line->kind = AOF_LINE_COMMENT;
    line->bytes = (size_t)(end - bytes) + 1;
    size_t text = line->bytes - 1 - (line->bytes > 1 && end[-1] == '\r');
    if (text > start && memcmp(bytes, STAMP_START, start) == 0 && decimal_read(bytes + start, text - start, &line->seconds))
        line->kind = AOF_LINE_STAMP;
}

void
aof_line_read(struct aof_line *line, const char *bytes, size_t n, const struct aof_head *head)
{
    *line = (struct aof_line){.kind = AOF_LINE_NONE};
    if (n == 0 || *bytes != '#')
        return;
    if (n >= START_BYTES && memcmp(bytes, HEAD_START, START_BYTES) == 0)
        read_own(line, bytes, n, AOF_HEAD_LINE, NULL);
    else if (n >= START_BYTES && memcmp(bytes, GROUP_START, START_BYTES) == 0)
        read_own(line, bytes, n, AOF_GROUP_LINE, head);
    else
        read_foreign(line, bytes, n);
}

size_t
aof_group_find(const char *bytes, size_t n, const struct aof_head *head, struct aof_group *group)
{
    struct aof_line line;
    size_t at = 0;
    while (n - at >= AOF_GROUP_LINE) {
        const char *found = memmem(bytes + at, n - at, GROUP_START, START_BYTES);
        if (found == NULL)
            return n;
        at = (size_t)(found - bytes);
        aof_line_read(&line, found, n - at, head);
        if (line.kind == AOF_LINE_GROUP) {
            *group = line.group;
            return at;
        }
        at += START_BYTES;
    }
    return n;
}
