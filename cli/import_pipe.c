/* import_pipe.c - requests of an import on their way to the server (see import_pipe.h). */
#include "cli/import_pipe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/xassert.h"
#include "cli/json.h"
#include "cli/value_commands.h"
#include "format/aof_check.h"
#include "format/rdb.h"

#define SEND_BYTES 65536u  /* requests are collected up to this */
#define LARGE_BYTES 65536u /* a value or word of this size is sent from where it lies */
#define TEXT_MAX 256u

/* ---- marks of what is open ---------------------------------------------------------------------------------------------------- */

static bool
stop(struct import_pipe *p, const char *why)
{
    if (!p->stopped)
        snprintf(p->error, sizeof p->error, "%s", why);
    p->stopped = true;
    return false;
}

static bool
drain_to(struct import_pipe *p, size_t left);

/* Sends what is collected. What it may do to the server is noted before. */
static bool
send_all(struct import_pipe *p)
{
    if (p->stopped)
        return false;
    if (buf_pending(&p->out) == 0)
        return true;
    p->state->sent = p->place > p->state->sent ? p->place : p->state->sent;
    if (!import_state_write(p->state))
        return stop(p, "the state of the import cannot be written any more: is the disk full?");
    return link_send(&p->link, &p->out) || stop(p, p->link.error);
}

/* Begins a request: makes room for its mark, because reading replies may send others, and writes its head. */
static bool
begin(struct import_pipe *p, int argc)
{
    if (p->stopped || (p->count == p->cap && !drain_to(p, p->cap / 2)))
        return false;
    buf_printf(&p->out, "*%d\r\n", argc);
    return true;
}

/* Notes the request that was written to out. */
static bool
note(struct import_pipe *p, struct import_open open, const char *name, size_t n)
{
    xassert(p->count < p->cap);
    buf_append(&p->names, name, n);
    if (buf_failed(&p->names))
        return stop(p, "out of memory for what is under way");
    open.name = n;
    p->open[(p->first + p->count) % p->cap] = open;
    p->count++;
    return buf_pending(&p->out) < SEND_BYTES || send_all(p);
}

/* A word of a request; a large one is sent at once. */
static bool
word(struct import_pipe *p, const char *bytes, size_t n)
{
    buf_printf(&p->out, "$%zu\r\n", n);
    if (n < LARGE_BYTES)
        buf_append(&p->out, bytes, n);
    else if (!send_all(p) || !(link_send_bytes(&p->link, bytes, n) || stop(p, p->link.error)))
        return false;
    buf_append(&p->out, "\r\n", 2);
    return !buf_failed(&p->out) || stop(p, "out of memory for a request");
}

static bool
text(struct import_pipe *p, const char *word_text)
{
    return word(p, word_text, strlen(word_text));
}

/* ---- rejects -------------------------------------------------------------------------------------------------------------------- */

static void
put_line(struct buf *to, bool key, uint64_t db, const char *name, size_t n, uint64_t place, const char *why)
{
    buf_printf(to, "{\"db\":%" PRIu64 ",\"%s\":", db, key ? "key" : "command");
    json_string(to, name, n);
    buf_printf(to, ",\"place\":%" PRIu64 ",\"error\":", place);
    json_string(to, why, strlen(why));
    buf_append_str(to, "}\n");
}

static bool
write_reject(struct import_pipe *p, bool key, uint64_t db, const char *name, size_t n, uint64_t place, const char *why)
{
    struct buf line;
    p->counts.rejected++;
    p->state->rejected++;
    if (p->rejects == NULL)
        p->rejects = fopen(p->rejects_path, p->o->resume ? "ae" : "we");
    buf_init(&line);
    put_line(&line, key, db, name, n, place, why);
    bool ok = p->rejects != NULL && !buf_failed(&line) && fwrite(buf_head(&line), 1, buf_pending(&line), p->rejects) == buf_pending(&line) &&
              fflush(p->rejects) == 0;
    buf_destroy(&line);
    if (!ok) {
        char told[TEXT_MAX + 64];
        snprintf(told, sizeof told, "%.200s: the list of rejects cannot be written: %s", p->rejects_path, strerror(errno));
        return stop(p, told);
    }
    return true;
}

bool
import_pipe_reject(struct import_pipe *p, const struct item *item, const char *why)
{
    char shown[AOF_CHECK_COMMAND_MAX] = "";
    if (item == NULL)
        return write_reject(p, false, 0, "", 0, 0, why);
    if (item->kind == ITEM_COMMAND)
        aof_check_show(item->argv, item->argc, shown);
    bool key = item->kind == ITEM_KEY;
    return write_reject(p, key, item->db, key ? item->key.data : shown, key ? item->key.len : strlen(shown), item->place, why);
}

/* ---- replies -------------------------------------------------------------------------------------------------------------------- */

/* Errors that would befall whatever follows. */
static bool
ends_all(const char *error)
{
    static const char *const codes[] = { "OOM ", "NOAUTH ", "NOPERM ", "READONLY ", "MISCONF ", "LOADING ", "MASTERDOWN ", "CLUSTERDOWN ",
                                         "MOVED ", "BUSY ", "NOREPLICAS ", "WRONGPASS " };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strncmp(error, codes[i], strlen(codes[i])) == 0)
            return true;
    return false;
}

static bool
in_doubt(const struct import_pipe *p, uint64_t place)
{
    return place > p->doubt_from && place <= p->doubt_to;
}

/* The key exists: an earlier run may have brought it. */
static bool
take_existing(struct import_pipe *p, const struct import_open *w, const char *name)
{
    if (in_doubt(p, w->place)) {
        p->counts.doubtful++;
        p->counts.keys++;
        p->state->keys++;
        return true;
    }
    p->counts.existing++;
    return p->o->skip_existing ||
           write_reject(p, true, w->db, name, w->name, w->place, "the key exists (--replace or --skip-existing say what to do)");
}

static void
build_name(const struct import_pipe *p, uint64_t build, char name[TEXT_MAX])
{
    snprintf(name, TEXT_MAX, "kvstash-import:%016" PRIx64 ":%" PRIu64, p->state->fingerprint, build % (p->cap + 1));
}

static bool
count_key(struct import_pipe *p)
{
    p->counts.keys++;
    p->state->keys++;
    return true;
}

/* Deletes what was built of a key. */
static bool
clean_build(struct import_pipe *p, const struct import_open *w)
{
    char built[TEXT_MAX];
    struct import_open open = { .purpose = IMPORT_CLEAN, .place = w->place, .db = w->db, .moves_place = true };
    build_name(p, w->build, built);
    return begin(p, 2) && text(p, "DEL") && text(p, built) && note(p, open, "", 0);
}

/* All commands of a key are answered: it gets its name, or goes. */
static bool
finish_build(struct import_pipe *p, const struct import_open *w, const char *name)
{
    char built[TEXT_MAX];
    struct import_open open = { .purpose = IMPORT_RENAME, .place = w->place, .db = w->db, .build = w->build, .moves_place = true };
    if (w->spoiled || p->failed_build == w->build)
        return clean_build(p, w);
    build_name(p, w->build, built);
    return begin(p, 3) && text(p, p->o->replace ? "RENAME" : "RENAMENX") && text(p, built) && word(p, name, w->name) &&
           note(p, open, name, w->name);
}

/* RENAMENX said no. */
static bool
drop_build(struct import_pipe *p, const struct import_open *w, const char *name)
{
    return take_existing(p, w, name) && clean_build(p, w);
}

static bool
take_error(struct import_pipe *p, const struct import_open *w, const char *name, const char *error)
{
    char told[LINK_ERROR_MAX];
    if (ends_all(error) && w->purpose != IMPORT_CLEAN) {
        snprintf(told, sizeof told, "the server refused at '%.*s': %.300s", (int)(w->name < 100 ? w->name : 100), name, error);
        return stop(p, told);
    }
    switch (w->purpose) {
    case IMPORT_CLEAN:
        return true;
    case IMPORT_SELECT:
        snprintf(told, sizeof told, "the server has no database %" PRIu64 ": %.300s; --no-db leaves it out", w->db, error);
        return stop(p, told);
    case IMPORT_RESTORE:
        if (strncmp(error, "BUSYKEY", 7) == 0)
            return take_existing(p, w, name);
        break;
    case IMPORT_PART:
        if (p->failed_build == w->build)
            return true;
        p->failed_build = w->build;
        break;
    default:
        break;
    }
    bool key = w->purpose != IMPORT_COMMAND && w->purpose != IMPORT_FUNCTION;
    return write_reject(p, key, w->db, name, w->name, w->place, error);
}

/* EXEC's reply has those of its commands. */
static bool
take_nested(struct import_pipe *p, const struct import_open *w, const char *name, const struct resp_value *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        if (reply->child[i].type == RESP_ERROR && !take_error(p, w, name, reply->child[i].text))
            return false;
    return true;
}

static bool
take_success(struct import_pipe *p, const struct import_open *w, const char *name, const struct resp_value *reply)
{
    switch (w->purpose) {
    case IMPORT_RESTORE:
        return count_key(p);
    case IMPORT_RENAME:
        return reply->type == RESP_INT && reply->integer == 0 ? drop_build(p, w, name) : count_key(p);
    case IMPORT_PART_LAST:
        return finish_build(p, w, name);
    case IMPORT_FUNCTION:
        p->counts.functions++;
        return true;
    case IMPORT_COMMAND:
        p->counts.commands++;
        p->counts.doubtful += in_doubt(p, w->place);
        return reply->type != RESP_ARRAY || take_nested(p, w, name, reply);
    default:
        return true;
    }
}

/* The reply to the oldest request. */
static bool
take_reply(struct import_pipe *p)
{
    struct resp_value *reply = link_read(&p->link);
    if (reply == NULL)
        return stop(p, p->link.error);
    struct import_open w = p->open[p->first];
    p->first = (p->first + 1) % p->cap;
    p->count--;
    char small[TEXT_MAX], *name = w.name < sizeof small ? small : malloc(w.name + 1);
    bool ok = name != NULL || stop(p, "out of memory for a key");
    if (ok) {
        if (w.name > 0)
            memcpy(name, buf_head(&p->names), w.name);
        buf_consume(&p->names, w.name);
        ok = reply->type == RESP_ERROR ? take_error(p, &w, name, reply->text) : take_success(p, &w, name, reply);
    }
    if (ok && w.moves_place && w.purpose != IMPORT_PART_LAST)
        p->state->done = w.place > p->state->done ? w.place : p->state->done;
    if (name != small)
        free(name);
    resp_value_destroy(reply);
    return ok;
}

/* Reads replies until so many are left. */
static bool
drain_to(struct import_pipe *p, size_t left)
{
    while (p->count > left) {
        if (!send_all(p) || !take_reply(p))
            return false;
    }
    return import_state_write(p->state) || stop(p, "the state of the import cannot be written any more: is the disk full?");
}

bool
import_pipe_drain(struct import_pipe *p)
{
    bool ok = drain_to(p, 0) && send_all(p);
    p->after_keys = false;
    return ok;
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------- */

static bool
select_db(struct import_pipe *p, const struct item *item)
{
    char number[24];
    if (p->db == (int64_t)item->db || item->kind == ITEM_FUNCTION)
        return true;
    if (p->after_keys && !import_pipe_drain(p)) /* they get their names in their own database */
        return false;
    p->db = (int64_t)item->db;
    snprintf(number, sizeof number, "%" PRIu64, item->db);
    return begin(p, 2) && text(p, "SELECT") && text(p, number) &&
           note(p, (struct import_open){ .purpose = IMPORT_SELECT, .db = item->db }, "SELECT", 6);
}

/* The oldest version of RDB that has this form: so the oldest server that can, takes it. */
static uint16_t
version_of(unsigned form)
{
    return form <= RDB_FORM_STREAM_LISTPACKS ? 9 : form <= RDB_FORM_STREAM_LISTPACKS_2 ? 10 : form <= RDB_FORM_STREAM_LISTPACKS_3 ? 11 : 12;
}

/* Type, value, version and checksum, as DUMP has them; a large value is sent from where it lies. */
static bool
put_payload(struct import_pipe *p, const struct item *item)
{
    char form = (char)item->form, footer[10];
    uint16_t version = version_of(item->form);
    uint64_t crc = crc64(crc64(0, &form, 1), item->value.data, item->value.len);
    crc = crc64(crc, &version, sizeof version);
    memcpy(footer, &version, sizeof version); /* little-endian */
    memcpy(footer + sizeof version, &crc, sizeof crc);
    buf_printf(&p->out, "$%zu\r\n", 1 + item->value.len + sizeof footer);
    buf_append(&p->out, &form, 1);
    if (item->value.len < LARGE_BYTES)
        buf_append(&p->out, item->value.data, item->value.len);
    else if (!send_all(p) || !(link_send_bytes(&p->link, item->value.data, item->value.len) || stop(p, p->link.error)))
        return false;
    buf_append(&p->out, footer, sizeof footer);
    buf_append(&p->out, "\r\n", 2);
    return true;
}

static bool
put_restore(struct import_pipe *p, const struct item *item)
{
    char ttl[24];
    bool expires = item->expires_ms >= 0;
    struct import_open open = { .purpose = IMPORT_RESTORE, .place = item->place, .db = item->db, .moves_place = true };
    snprintf(ttl, sizeof ttl, "%" PRId64, expires ? item->expires_ms : 0);
    return begin(p, 4 + expires + p->o->replace) && text(p, "RESTORE") && word(p, item->key.data, item->key.len) && text(p, ttl) && put_payload(p, item) &&
           (!expires || text(p, "ABSTTL")) && (!p->o->replace || text(p, "REPLACE")) && note(p, open, item->key.data, item->key.len);
}

/* A command of several that build a key. */
struct building {
    struct import_pipe *p;
    const struct item *item;
};

static bool
put_part(void *arg, int argc, const struct resp_arg *argv)
{
    const struct building *b = arg;
    struct import_open open = { .purpose = IMPORT_PART, .place = b->item->place, .db = b->item->db, .build = b->p->builds };
    if (!begin(b->p, argc))
        return false;
    for (int i = 0; i < argc; i++)
        if (!word(b->p, argv[i].data, argv[i].len))
            return false;
    return note(b->p, open, b->item->key.data, b->item->key.len);
}

static bool
put_built(struct import_pipe *p, const struct item *item)
{
    char built[TEXT_MAX], why[VALUE_ERROR_MAX];
    struct item under = *item;
    struct building b = { .p = p, .item = item };
    p->builds++;
    build_name(p, p->builds, built);
    under.key = (struct resp_arg){ .data = built, .len = strlen(built) };
    struct resp_arg clean[] = { { .data = "DEL", .len = 3 }, under.key };
    if (!put_part(&b, 2, clean))
        return false;
    bool made = value_to_commands(&p->value, &under, put_part, &b, why);
    if (!made && (p->stopped || !import_pipe_reject(p, item, why)))
        return false;
    struct import_open last = { .purpose = IMPORT_PART_LAST, .place = item->place, .db = item->db, .build = p->builds, .spoiled = !made };
    p->after_keys = true;
    return begin(p, 2) && text(p, "EXISTS") && text(p, built) && note(p, last, item->key.data, item->key.len);
}

static bool
put_function(struct import_pipe *p, const struct item *item)
{
    struct import_open open = { .purpose = IMPORT_FUNCTION, .place = item->place, .moves_place = true };
    if (p->after_keys && !import_pipe_drain(p))
        return false;
    return begin(p, 3 + p->o->replace) && text(p, "FUNCTION") && text(p, "LOAD") && (!p->o->replace || text(p, "REPLACE")) &&
           word(p, item->value.data, item->value.len) && note(p, open, "FUNCTION LOAD", 13);
}

static bool
is_exec(const struct item *item)
{
    return item->argv[0].len == 4 && strncasecmp(item->argv[0].data, "exec", 4) == 0;
}

static bool
put_command(struct import_pipe *p, const struct item *item)
{
    char shown[AOF_CHECK_COMMAND_MAX];
    struct import_open open = { .purpose = IMPORT_COMMAND, .place = item->place, .db = item->db };
    open.moves_place = !item->multi || is_exec(item);
    if (p->after_keys && !import_pipe_drain(p))
        return false;
    if (!begin(p, item->argc))
        return false;
    for (int i = 0; i < item->argc; i++)
        if (!word(p, item->argv[i].data, item->argv[i].len))
            return false;
    aof_check_show(item->argv, item->argc, shown);
    return note(p, open, shown, strlen(shown));
}

bool
import_pipe_put(struct import_pipe *p, const struct item *item)
{
    if (p->stopped)
        return false;
    p->place = item->place;
    if (item->kind == ITEM_KEY && item->expires_ms >= 0 && item->expires_ms <= clock_wall_ms()) {
        p->counts.expired++;
        return true;
    }
    if (!select_db(p, item))
        return false;
    switch (item->kind) {
    case ITEM_KEY:
        return p->o->commands ? put_built(p, item) : put_restore(p, item);
    case ITEM_FUNCTION:
        return put_function(p, item);
    case ITEM_COMMAND:
        return put_command(p, item);
    }
    never_reached("every kind of item is above");
}

bool
import_pipe_begin(struct import_pipe *p, const struct tool_options *o, struct import_state *state, const char *rejects_path)
{
    struct link_address address = cli_address(&o->at);
    *p = (struct import_pipe){ .o = o, .state = state, .rejects_path = rejects_path, .db = 0, .cap = (size_t)o->pipeline + 1 };
    p->doubt_from = state->done;
    p->doubt_to = state->sent;
    p->open = calloc(p->cap, sizeof *p->open);
    if (!link_open(&p->link, &address))
        return stop(p, p->link.error);
    return p->open != NULL || stop(p, "out of memory");
}

void
import_pipe_end(struct import_pipe *p)
{
    link_close(&p->link);
    if (p->rejects != NULL)
        fclose(p->rejects);
    buf_destroy(&p->out);
    buf_destroy(&p->names);
    rdb_value_free(&p->value);
    free(p->open);
}
