/* aof_in.c - the commands of an append-only file (see aof_in.h).
 *
 * Three levels, each of which says how far its unit reaches before anything of it is handed out: a command (read_command), a
 * transaction (find_exec, which reads ahead), a group (enter_group, by its hash). What is wrong is judged in one place (judge).
 *
 * A value in the image may hold anything, lines of ours included. That does no harm: lines are looked for only where a command
 * may begin, and the search behind a torn place (aof_group_find) takes only lines whose check fits the lineage.
 */
#include "format/aof_in.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xassert.h"

#define ARGS_FIRST 16u
#define DIGITS_MAX 18u /* of a length */

/* How reading went. */
enum step {
    STEP_OK,
    STEP_SHORT, /* the bytes end first */
    STEP_BAD,   /* in->error is set */
    STEP_NO_MEMORY,
};

#define BAD(in, offset, ...) (aof_error_set(&(in)->error, offset, 0, __VA_ARGS__), STEP_BAD)

bool
aof_in_is_rdb(const char *bytes, size_t n)
{
    return n >= 5 && memcmp(bytes, "REDIS", 5) == 0;
}

void
aof_in_open(struct aof_in *in, const char *bytes, size_t n, size_t from, unsigned flags)
{
    xassert(from <= n);
    *in = (struct aof_in){ .bytes = bytes, .n = n, .at = from, .whole = from, .flags = flags, .ended = AOF_IN_COMMAND };
}

void
aof_in_close(struct aof_in *in)
{
    free(in->args);
    in->args = NULL;
    in->argv = NULL;
}

/* ---- commands --------------------------------------------------------------------------------------------------------- */

/* A mark and a length with CR LF, at *at; moves behind it. */
static inline enum step
read_length(struct aof_in *in, char mark, size_t *at, size_t limit, uint64_t *length)
{
    const char *s = in->bytes + *at, *end = in->bytes + limit, *digits = s + 1;
    uint64_t number = 0;
    if (s == end)
        return STEP_SHORT;
    if (*s != mark)
        return BAD(in, *at, "'%c' expected, found byte 0x%02x", mark, (unsigned char)*s);
    for (s++; s < end && *s >= '0' && *s <= '9' && s - digits < (ptrdiff_t)DIGITS_MAX; s++)
        number = number * 10 + (uint64_t)(*s - '0');
    if (s < end && (s == digits || *s != '\r'))
        return BAD(in, *at, "'%c' is not followed by a length and CR LF", mark);
    if (end - s < 2)
        return STEP_SHORT;
    if (s[1] != '\n')
        return BAD(in, *at, "'%c' is not followed by a length and CR LF", mark);
    *length = number;
    *at = (size_t)(s - in->bytes) + 2;
    return STEP_OK;
}

/* A string with its CR LF, at *at; moves behind it. */
static inline enum step
read_bulk(struct aof_in *in, size_t *at, size_t limit, struct resp_arg *arg)
{
    uint64_t length;
    enum step step = read_length(in, '$', at, limit, &length);
    if (step != STEP_OK)
        return step;
    if (length > limit - *at || limit - *at - length < 2)
        return STEP_SHORT;
    const char *end = in->bytes + *at + length;
    if (end[0] != '\r' || end[1] != '\n')
        return BAD(in, *at + length, "the string of %llu bytes is not followed by CR LF", (unsigned long long)length);
    arg->data = in->bytes + *at;
    arg->len = length;
    *at += length + 2;
    return STEP_OK;
}

static bool
args_grow(struct aof_in *in)
{
    uint32_t cap = in->args_cap == 0 ? ARGS_FIRST : in->args_cap * 2;
    struct resp_arg *args = realloc(in->args, cap * sizeof *args);
    if (args == NULL)
        return false;
    in->args = args;
    in->args_cap = cap;
    return true;
}

/* The command at `at`, into args and argc; *end is behind it. */
static enum step
read_command(struct aof_in *in, size_t at, size_t limit, size_t *end)
{
    uint64_t count;
    size_t head = at;
    enum step step = read_length(in, '*', &at, limit, &count);
    if (step != STEP_OK)
        return step;
    if (count < 1 || count > RESP_ARGS_MAX / 2)
        return BAD(in, head, "a command of %llu words", (unsigned long long)count);
    for (uint32_t i = 0; i < count; i++) {
        if (i == in->args_cap && !args_grow(in))
            return STEP_NO_MEMORY;
        step = read_bulk(in, &at, limit, &in->args[i]);
        if (step != STEP_OK)
            return step;
    }
    in->argc = (int)count;
    *end = at;
    return STEP_OK;
}

static bool
is_command(const struct aof_in *in, const char *name, size_t len)
{
    return in->args[0].len == len && strncasecmp(in->args[0].data, name, len) == 0;
}

/* ---- annotations ------------------------------------------------------------------------------------------------------ */

static enum step
enter_group(struct aof_in *in, const struct aof_line *line)
{
    const struct aof_group *g = &line->group;
    size_t from = in->at + line->bytes;
    if (g->first <= in->last_ticket)
        return BAD(in, in->at, "the group's tickets begin at %llu, but %llu was before it", (unsigned long long)g->first,
                   (unsigned long long)in->last_ticket);
    if (g->bytes > in->n - from)
        return STEP_SHORT;
    const struct iovec piece = { .iov_base = (char *)in->bytes + from, .iov_len = g->bytes };
    if (!(in->flags & AOF_IN_TRUST) && aof_group_hash(&piece, 1) != g->hash)
        return BAD(in, in->at, "the group of %llu bytes from here (tickets %llu to %llu) has another checksum than when it was written",
                   (unsigned long long)g->bytes, (unsigned long long)g->first, (unsigned long long)g->last);
    in->group = *g;
    in->group_offset = in->at;
    in->last_ticket = g->last;
    in->durable = g->durable > in->durable ? g->durable : in->durable;
    in->groups++;
    in->at = from;
    in->group_end = g->bytes > 0 ? from + g->bytes : 0;
    if (in->group_end == 0)
        in->whole = from;
    return STEP_OK;
}

static enum step
enter_file(struct aof_in *in, const struct aof_line *line)
{
    if (in->annotated || in->foreign || in->at != 0)
        return BAD(in, in->at, "a head line (#KVA) that is not the first of the file");
    in->annotated = true;
    in->head = line->head;
    in->last_ticket = line->head.first_ticket > 0 ? line->head.first_ticket - 1 : 0;
    in->at += line->bytes;
    in->whole = in->at;
    return STEP_OK;
}

/* Reads the line that begins with '#' at `at`. comments: those of others are allowed there. */
static enum step
read_line(struct aof_in *in, size_t at, size_t limit, bool comments, struct aof_line *line)
{
    aof_line_read(line, in->bytes + at, limit - at, in->annotated ? &in->head : NULL);
    if (line->kind == AOF_LINE_SHORT)
        return STEP_SHORT;
    if (line->kind == AOF_LINE_BAD)
        return BAD(in, at, "a line of ours (#KV) that is not as it was written%s",
                   in->annotated ? "" : ", or whose file does not begin with a head line");
    if (line->kind == AOF_LINE_COMMENT && !comments)
        return BAD(in, at, "a comment that is none of ours, in or between groups");
    return STEP_OK;
}

/* The line that begins with '#' in front of the next command. */
static enum step
take_line(struct aof_in *in)
{
    struct aof_line line;
    size_t limit = in->group_end > 0 ? in->group_end : in->n;
    enum step step = read_line(in, in->at, limit, in->foreign || !in->annotated, &line);
    if (step != STEP_OK)
        return step;
    bool own = line.kind == AOF_LINE_HEAD || line.kind == AOF_LINE_GROUP;
    if (own && in->group_end > 0)
        return BAD(in, in->at, "a head or group inside a group");
    if (line.kind == AOF_LINE_HEAD)
        return enter_file(in, &line);
    if (line.kind == AOF_LINE_GROUP && in->foreign)
        return BAD(in, in->at, "a group behind commands that are in none");
    if (line.kind == AOF_LINE_GROUP)
        return enter_group(in, &line);
    if (line.kind == AOF_LINE_STAMP)
        in->stamp = line.seconds;
    in->at += line.bytes;
    return STEP_OK;
}

/* ---- transactions ----------------------------------------------------------------------------------------------------- */

/* Looks for the EXEC of the MULTI that ends at `at`; *end is behind it. Lines between them are checked and passed over. */
static enum step
find_exec(struct aof_in *in, size_t at, size_t limit, size_t *end)
{
    enum step step = STEP_OK;
    while (step == STEP_OK) {
        if (at < limit && in->bytes[at] == '#') {
            struct aof_line line;
            step = read_line(in, at, limit, in->group_end == 0, &line);
            if (line.kind == AOF_LINE_HEAD || line.kind == AOF_LINE_GROUP)
                return BAD(in, at, "a head or group inside MULTI");
            at += line.bytes;
            continue;
        }
        size_t from = at;
        step = read_command(in, from, limit, &at);
        if (step == STEP_OK && is_command(in, "multi", 5))
            return BAD(in, from, "MULTI inside MULTI");
        if (step == STEP_OK && is_command(in, "exec", 4)) {
            *end = at;
            return STEP_OK;
        }
    }
    return step;
}

/* The command at in->at, its transaction looked at if it begins one. */
static enum step
take_command(struct aof_in *in)
{
    size_t limit = in->group_end > 0 ? in->group_end : in->n;
    enum step step = read_command(in, in->at, limit, &in->end);
    if (step != STEP_OK)
        return step;
    if (in->multi_end == 0 && is_command(in, "multi", 5)) {
        step = find_exec(in, in->end, limit, &in->multi_end);
        if (step == STEP_OK)
            step = read_command(in, in->at, limit, &in->end);
        if (step != STEP_OK)
            return step;
    } else if (in->multi_end == 0 && is_command(in, "exec", 4)) {
        return BAD(in, in->at, "EXEC without MULTI");
    }
    in->offset = in->at;
    in->argv = in->args;
    in->multi = in->multi_end > 0;
    in->grouped = in->group_end > 0;
    in->foreign |= !in->grouped;
    in->commands++;
    in->at = in->end;
    if (in->at == in->multi_end)
        in->multi_end = 0;
    return STEP_OK;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

/* What stands at the end of what is whole is wrong: torn, or damaged? */
static enum aof_in_result
judge(struct aof_in *in, enum step step)
{
    struct aof_group later = {0};
    if (step == STEP_NO_MEMORY)
        return AOF_IN_NO_MEMORY;
    if (in->group_end > 0) /* its hash fits: it was written like this */
        return AOF_IN_BAD;
    if (in->foreign || !in->annotated || in->bytes[in->at] == '*')
        return step == STEP_SHORT ? AOF_IN_TORN : AOF_IN_BAD;
    for (size_t at = in->whole; at < in->n; at += AOF_GROUP_LINE) {
        at += aof_group_find(in->bytes + at, in->n - at, &in->head, &later);
        if (at < in->n && later.durable > in->last_ticket)
            return AOF_IN_BAD;
    }
    return AOF_IN_TORN;
}

static enum aof_in_result
stop(struct aof_in *in, enum step step)
{
    if (step == STEP_SHORT && in->group_end > 0)
        aof_error_set(&in->error, in->at, 0, "the group from offset %zu ends inside a command or MULTI", in->group_offset);
    else if (step == STEP_SHORT)
        aof_error_set(&in->error, in->at, 0, "the file ends inside a command, transaction or group that begins here");
    return judge(in, step);
}

enum aof_in_result
aof_in_next(struct aof_in *in)
{
    if (in->ended != AOF_IN_COMMAND)
        return in->ended;
    enum step step = STEP_OK;
    bool command = false;
    if (in->multi_end == 0 && in->group_end == 0 && in->commands > 0)
        in->whole = in->at;
    while (step == STEP_OK && !command) {
        if (in->at == in->group_end) {
            in->group_end = 0;
            in->whole = in->at;
        }
        if (in->at == in->n) {
            in->whole = in->n;
            return in->ended = AOF_IN_END;
        }
        command = in->bytes[in->at] != '#';
        step = command ? take_command(in) : take_line(in);
    }
    return step == STEP_OK ? AOF_IN_COMMAND : (in->ended = stop(in, step));
}
