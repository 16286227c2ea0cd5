/* bench_reply.c - counts replies in a stream of bytes without building them (see bench_reply.h). */
#include "cli/bench_reply.h"

#include <stdio.h>
#include <string.h>

#define LENGTH_MAX ((int64_t)1 << 40) /* of a string or an aggregate: more is no reply */

/* A value has ended; if it was the last of its reply, the reply has. */
static void
value_ended(struct bench_reply_scan *scan, struct bench_reply_count *count)
{
    if (scan->open > 0)
        scan->open--;
    if (scan->open == 0)
        count->replies++;
}

static bool
length_of(const char *line, unsigned len, int64_t *value)
{
    bool negative = len > 1 && line[1] == '-';
    int64_t v = 0;
    unsigned i = negative ? 2 : 1;
    for (; i < len && line[i] >= '0' && line[i] <= '9' && v < LENGTH_MAX; i++)
        v = v * 10 + (line[i] - '0');
    *value = negative ? -v : v;
    return i == len && v < LENGTH_MAX && len > 1;
}

static void
note_error(struct bench_reply_count *count, const char *line, unsigned len)
{
    if (count->errors++ == 0)
        snprintf(count->first_error, sizeof count->first_error, "%.*s", (int)len - 1, line + 1);
}

/* The header of an aggregate: its values take its place among those still to come. An attribute's come in front of the value
 * that it belongs to. */
static void
open_aggregate(struct bench_reply_scan *scan, struct bench_reply_count *count, char type, uint64_t n)
{
    if (scan->open == 0)
        scan->open = 1; /* the reply itself */
    scan->open += type == '%' || type == '|' ? 2 * n : n;
    if (type != '|')
        value_ended(scan, count);
}

/* "$n", "*n" and the like. */
static bool
take_length(struct bench_reply_scan *scan, struct bench_reply_count *count, const char *line, unsigned len)
{
    int64_t n;
    if (!length_of(line, len, &n))
        return false;
    if (line[0] == '!')
        note_error(count, line, len);
    if (n < 0) {
        count->nulls++;
        value_ended(scan, count);
    } else if (strchr("$=!", line[0]) != NULL) {
        scan->skip = (uint64_t)n + 2;
    } else {
        open_aggregate(scan, count, line[0], (uint64_t)n);
    }
    return true;
}

/* A complete line of len bytes without its end. */
static bool
take_line(struct bench_reply_scan *scan, struct bench_reply_count *count, const char *line, unsigned len)
{
    switch (line[0]) {
    case '-':
        note_error(count, line, len);
        value_ended(scan, count);
        return true;
    case '_':
        count->nulls++;
        value_ended(scan, count);
        return true;
    case '+':
    case ':':
    case ',':
    case '#':
    case '(':
        value_ended(scan, count);
        return true;
    default:
        return line[0] != '\0' && strchr("$=!*~>%|", line[0]) != NULL && take_length(scan, count, line, len);
    }
}

/* Passes string bytes; how many. */
static size_t
pass_string(struct bench_reply_scan *scan, struct bench_reply_count *count, size_t n)
{
    size_t pass = scan->skip < n ? (size_t)scan->skip : n;
    scan->skip -= pass;
    if (scan->skip == 0)
        value_ended(scan, count);
    return pass;
}

/* Keeps what fits of an incomplete line. */
static void
keep(struct bench_reply_scan *scan, const char *bytes, size_t n)
{
    size_t room = sizeof scan->line - scan->line_len;
    size_t fits = n < room ? n : room;
    memcpy(scan->line + scan->line_len, bytes, fits);
    scan->line_len += (unsigned)fits;
}

/* The line that begins, or goes on, at bytes. Returns how many bytes were used, 0 if it is not a reply. */
static size_t
pass_line(struct bench_reply_scan *scan, struct bench_reply_count *count, const char *bytes, size_t n)
{
    const char *lf = memchr(bytes, '\n', n);
    if (lf == NULL) {
        keep(scan, bytes, n);
        return n;
    }
    size_t used = (size_t)(lf - bytes) + 1;
    const char *line = bytes;
    size_t len = used - 1;
    if (scan->line_len > 0) {
        keep(scan, bytes, len);
        line = scan->line;
        len = scan->line_len;
        scan->line_len = 0;
    }
    if (len > 0 && line[len - 1] == '\r')
        len--;
    if (len > BENCH_REPLY_LINE_MAX)
        len = BENCH_REPLY_LINE_MAX;
    return len > 0 && take_line(scan, count, line, (unsigned)len) ? used : 0;
}

bool
bench_reply_scan(struct bench_reply_scan *scan, const struct bench_reply_hint *hint, const char *bytes, size_t n,
                 struct bench_reply_count *count)
{
    size_t at = 0;
    while (at < n) {
        const char *here = bytes + at;
        if (scan->skip > 0) {
            at += pass_string(scan, count, n - at);
            continue;
        }
        if (n - at >= hint->len && hint->len > 0 && scan->line_len == 0 && scan->open == 0 &&
            memcmp(here, hint->lead, hint->bytes) == 0) {
            count->replies++;
            at += hint->len;
            continue;
        }
        size_t used = pass_line(scan, count, here, n - at);
        if (used == 0)
            return false;
        at += used;
    }
    return true;
}
