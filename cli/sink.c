/* sink.c - where export writes its items (see sink.h): JSON lines and commands, and which sink a format has. */
#include "cli/sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xassert.h"
#include "cli/link.h"
#include "cli/out_file.h"
#include "cli/value_commands.h"

#define LARGE_BYTES 65536u /* a word of this size is written past the buffer */

/* A file of text; JSON and commands share it. */
struct text {
    struct sink sink; /* first */
    struct out_file out;
    struct rdb_value value;
    int64_t db;       /* that the commands are in; -1: none was chosen */
};

static enum sink_result
judge(struct text *t, bool ok, const char *why)
{
    if (t->out.error[0] != '\0' || !out_file_flush(&t->out, false)) {
        snprintf(t->sink.error, SINK_ERROR_MAX, "%s", t->out.error);
        return SINK_FAILED;
    }
    if (!ok)
        snprintf(t->sink.error, SINK_ERROR_MAX, "%s", why);
    return ok ? SINK_TAKEN : SINK_REFUSED;
}

static void
text_abandon(struct sink *s)
{
    struct text *t = (struct text *)s;
    out_file_abandon(&t->out);
    rdb_value_free(&t->value);
    free(t);
}

static bool
text_finish(struct sink *s)
{
    struct text *t = (struct text *)s;
    bool ok = out_file_commit(&t->out);
    if (!ok)
        snprintf(s->error, SINK_ERROR_MAX, "%s", t->out.error);
    rdb_value_free(&t->value);
    free(t);
    return ok;
}

static struct sink *
text_open(const char *path, enum sink_result (*put)(struct sink *, const struct item *), char *error)
{
    struct text *t = calloc(1, sizeof *t);
    if (t == NULL) {
        snprintf(error, SINK_ERROR_MAX, "out of memory");
        return NULL;
    }
    t->sink = (struct sink){ .put = put, .finish = text_finish, .abandon = text_abandon, .error = error };
    t->db = -1;
    if (out_file_open(&t->out, path))
        return &t->sink;
    snprintf(error, SINK_ERROR_MAX, "%s", t->out.error);
    text_abandon(&t->sink);
    return NULL;
}

/* ---- JSON lines ----------------------------------------------------------------------------------------------------------------- */

static enum sink_result
json_put(struct sink *s, const struct item *item)
{
    struct text *t = (struct text *)s;
    char why[VALUE_ERROR_MAX] = "a command of a log has no JSON form: let a server load the log, and export from there";
    bool ok = item->kind != ITEM_COMMAND && value_to_json(&t->out.buf, &t->value, item, why);
    return judge(t, ok, why);
}

struct sink *
sink_json_open(const char *path, char *error)
{
    return text_open(path, json_put, error);
}

/* ---- commands ------------------------------------------------------------------------------------------------------------------- */

/* A large word is written where it lies. */
static bool
put_command(void *arg, int argc, const struct resp_arg *argv)
{
    struct text *t = arg;
    struct buf *b = &t->out.buf;
    buf_printf(b, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++) {
        buf_printf(b, "$%zu\r\n", argv[i].len);
        if (argv[i].len < LARGE_BYTES)
            buf_append(b, argv[i].data, argv[i].len);
        else if (!out_file_flush(&t->out, true) || !out_file_write(&t->out, argv[i].data, argv[i].len))
            return false;
        buf_append(b, "\r\n", 2);
    }
    return out_file_flush(&t->out, false);
}

static bool
select_db(struct text *t, const struct item *item)
{
    char number[24];
    if (t->db == (int64_t)item->db || item->kind == ITEM_FUNCTION)
        return true;
    t->db = (int64_t)item->db;
    int n = snprintf(number, sizeof number, "%" PRIu64, item->db);
    return put_command(t, 2, (struct resp_arg[]){ { .data = "SELECT", .len = 6 }, { .data = number, .len = (size_t)n } });
}

static enum sink_result
resp_put(struct sink *s, const struct item *item)
{
    struct text *t = (struct text *)s;
    char why[VALUE_ERROR_MAX] = "";
    if (!select_db(t, item))
        return judge(t, false, "");
    bool ok = item->kind == ITEM_COMMAND ? put_command(t, item->argc, item->argv)
                                         : value_to_commands(&t->value, item, put_command, t, why);
    return judge(t, ok, why);
}

struct sink *
sink_resp_open(const char *path, char *error)
{
    return text_open(path, resp_put, error);
}

/* ---- which -------------------------------------------------------------------------------------------------------------------------- */

static struct sink *
rdb_open(const char *path, char *error)
{
    return sink_rdb_open(path, false, error);
}

static const struct {
    const char *format;
    struct sink *(*open)(const char *path, char *error);
} sinks[] = { { "rdb", rdb_open }, { "aof", sink_aof_open }, { "json", sink_json_open }, { "resp", sink_resp_open } };

#define SINKS (sizeof sinks / sizeof sinks[0])

bool
sink_has(const char *format)
{
    for (size_t i = 0; i < SINKS; i++)
        if (strcmp(format, sinks[i].format) == 0)
            return true;
    return false;
}

struct sink *
sink_open(const char *format, const char *path, char *error)
{
    for (size_t i = 0; i < SINKS; i++)
        if (strcmp(format, sinks[i].format) == 0)
            return sinks[i].open(path, error);
    never_reached("the format was looked at before");
}
