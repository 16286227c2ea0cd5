/* source_server.c - items out of a server that runs (see source.h): SCAN, then DUMP and the expiry of each key.
 *
 * One step asks for some keys, and with one write for the values of all of them. Keys that SCAN gives twice are given once. What
 * changes meanwhile may be there or not; each value is whole. Servers older than 7.0 do not know PEXPIRETIME: there the time is
 * reckoned from PTTL.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crc.h"
#include "cli/source.h"
#include "format/rdb_seen.h"

#define FOOTER_BYTES 10u /* of a DUMP: version and checksum */
#define STEP_MAX 32u          /* values asked for at once: the server holds their replies */
#define STEP_BYTES (8u << 20) /* fewer, if they come to more than this by what values had so far */

struct server {
    struct source source; /* first */
    struct link link;
    const struct filter *filter;
    int64_t scan_count;
    bool has_time;             /* the server knows PEXPIRETIME */
    uint64_t *db, dbs, at_db;  /* which databases; owned */
    bool selected;
    char cursor[32];
    bool ended;                /* SCAN's cursor was 0 */
    struct resp_value *keys;   /* SCAN's reply */
    size_t key, asked;         /* next key to be given, and up to where values were asked for */
    size_t step;
    struct resp_value *dump, *when; /* of the key given */
    struct resp_value *functions;
    size_t function;
    bool functions_asked;
    struct rdb_seen seen;
    uint64_t given, bytes;
};

static enum source_result
lost(struct server *s)
{
    snprintf(s->source.error, SOURCE_ERROR_MAX, "%s", s->link.error);
    return SOURCE_FAILED;
}

static struct resp_value *
ask(struct server *s, int argc, const char *const words[])
{
    struct resp_arg argv[10];
    for (int i = 0; i < argc; i++)
        argv[i] = (struct resp_arg){ .data = words[i], .len = strlen(words[i]) };
    return link_command(&s->link, argc, argv);
}

/* ---- databases -------------------------------------------------------------------------------------------------------------------- */

/* Reads "db3:keys=12," lines of INFO. */
static bool
take_databases(struct server *s, const char *text)
{
    for (const char *at = text; (at = strstr(at, "db")) != NULL; at++) {
        char *end;
        if (at > text && at[-1] != '\n')
            continue;
        uint64_t db = strtoull(at + 2, &end, 10);
        if (end == at + 2 || strncmp(end, ":keys=", 6) != 0 || !filter_takes_db(s->filter, db))
            continue;
        uint64_t *more = realloc(s->db, (s->dbs + 1) * sizeof *more);
        if (more == NULL)
            return false;
        s->db = more;
        s->db[s->dbs++] = db;
        s->source.total += strtoull(end + 6, NULL, 10);
    }
    return true;
}

static bool
ask_databases(struct server *s, char *error)
{
    struct resp_value *info = ask(s, 2, (const char *const[]){ "INFO", "keyspace" });
    bool ok = info != NULL && info->text != NULL && info->type != RESP_ERROR && take_databases(s, info->text);
    if (info == NULL)
        snprintf(error, SOURCE_ERROR_MAX, "%s", s->link.error);
    else if (!ok)
        snprintf(error, SOURCE_ERROR_MAX, "INFO keyspace: %.300s", info->text != NULL ? info->text : "no text");
    resp_value_destroy(info);
    if (!ok)
        return false;
    struct resp_value *time = ask(s, 2, (const char *const[]){ "PEXPIRETIME", "" });
    s->has_time = time != NULL && time->type == RESP_INT;
    resp_value_destroy(time);
    return true;
}

static bool
select_db(struct server *s)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, s->db[s->at_db]);
    struct resp_value *reply = ask(s, 2, (const char *const[]){ "SELECT", number });
    bool ok = reply != NULL && reply->type != RESP_ERROR;
    if (reply != NULL && !ok)
        snprintf(s->link.error, sizeof s->link.error, "SELECT %s: %.300s", number, reply->text);
    resp_value_destroy(reply);
    s->selected = ok;
    s->ended = false;
    strcpy(s->cursor, "0");
    return ok;
}

/* ---- keys ----------------------------------------------------------------------------------------------------------------------------- */

static bool
scan(struct server *s)
{
    char count[24];
    const char *words[10] = { "SCAN", s->cursor, "COUNT", count };
    int argc = 4;
    snprintf(count, sizeof count, "%" PRId64, s->scan_count);
    if (s->filter->match != NULL) {
        words[argc++] = "MATCH";
        words[argc++] = s->filter->match;
    }
    const char *type = filter_one_type(s->filter);
    if (type != NULL) {
        words[argc++] = "TYPE";
        words[argc++] = type;
    }
    struct resp_value *reply = ask(s, argc, words);
    if (reply == NULL)
        return false;
    if (reply->type != RESP_ARRAY || reply->count != 2 || reply->child[0].text == NULL || reply->child[1].type != RESP_ARRAY ||
        strlen(reply->child[0].text) >= sizeof s->cursor) {
        snprintf(s->link.error, sizeof s->link.error, "SCAN: %.300s", reply->text != NULL ? reply->text : "no such reply was expected");
        resp_value_destroy(reply);
        return false;
    }
    resp_value_destroy(s->keys);
    s->keys = reply;
    s->key = s->asked = 0;
    strcpy(s->cursor, reply->child[0].text);
    s->ended = strcmp(s->cursor, "0") == 0;
    return true;
}

/* Asks for the values of the next keys, as many as a step has. */
static bool
ask_values(struct server *s)
{
    struct buf out;
    const struct resp_value *keys = &s->keys->child[1];
    const char *time = s->has_time ? "PEXPIRETIME" : "PTTL";
    buf_init(&out);
    for (size_t n = 0; n < s->step && s->asked < keys->count; n++, s->asked++) {
        struct resp_arg key = { .data = keys->child[s->asked].text, .len = keys->child[s->asked].len };
        link_request(&out, 2, (struct resp_arg[]){ { .data = time, .len = strlen(time) }, key });
        link_request(&out, 2, (struct resp_arg[]){ { .data = "DUMP", .len = 4 }, key });
    }
    bool ok = link_send(&s->link, &out);
    buf_destroy(&out);
    uint64_t size = s->given == 0 ? 0 : s->bytes / s->given + 1;
    if (s->given > 0)
        s->step = size > STEP_BYTES ? 1 : STEP_BYTES / size < STEP_MAX ? STEP_BYTES / size : STEP_MAX;
    return ok;
}

/* The payload without its footer, whose checksum has to fit. */
static bool
take_dump(struct server *s, struct item *item)
{
    const struct resp_value *d = s->dump;
    uint64_t sum;
    if (d->type != RESP_BULK || d->len < FOOTER_BYTES + 1)
        return false;
    memcpy(&sum, d->text + d->len - sizeof sum, sizeof sum);
    if (sum != 0 && sum != crc64(0, d->text, d->len - sizeof sum))
        return false;
    item->form = (uint8_t)d->text[0];
    item->value = (struct resp_arg){ .data = d->text + 1, .len = d->len - 1 - FOOTER_BYTES };
    return true;
}

/* Reads the replies for the next key. *gone: there is none any more. */
static enum source_result
read_key(struct server *s, struct item *item, bool *gone)
{
    const struct resp_value *key = &s->keys->child[1].child[s->key];
    resp_value_destroy(s->when);
    resp_value_destroy(s->dump);
    s->dump = NULL;
    s->when = link_read(&s->link);
    if (s->when == NULL || (s->dump = link_read(&s->link)) == NULL)
        return lost(s);
    s->key++;
    *gone = s->dump->type == RESP_NULL;
    if (*gone)
        return SOURCE_ITEM;
    *item = (struct item){ .kind = ITEM_KEY, .db = s->db[s->at_db], .expires_ms = -1 };
    item->key = (struct resp_arg){ .data = key->text, .len = key->len };
    if (s->when->type == RESP_INT && s->when->integer >= 0)
        item->expires_ms = s->when->integer + (s->has_time ? 0 : clock_wall_ms());
    s->bytes += s->dump->len;
    item->place = ++s->given;
    if (take_dump(s, item))
        return SOURCE_ITEM;
    snprintf(s->source.error, SOURCE_ERROR_MAX, "key '%.100s' in database %" PRIu64 ": DUMP: %.300s", key->text, item->db,
             s->dump->type == RESP_ERROR ? s->dump->text : "a payload that is damaged");
    return SOURCE_SKIPPED;
}

/* Is this the first time that the key of this database is given? */
static bool
is_new(struct server *s, const struct item *item)
{
    return rdb_seen_add(&s->seen, item->key.data, item->key.len) != RDB_SEEN_BEFORE; /* without memory: rather twice than not at all */
}

/* ---- functions ------------------------------------------------------------------------------------------------------------------------ */

static void
ask_functions(struct server *s)
{
    s->functions_asked = true;
    if (filter_wants_keys(s->filter) || s->filter->db.given)
        return;
    s->functions = ask(s, 3, (const char *const[]){ "FUNCTION", "LIST", "WITHCODE" });
    if (s->functions != NULL && s->functions->type != RESP_ARRAY) { /* it has none, or may not tell */
        resp_value_destroy(s->functions);
        s->functions = NULL;
    }
}

/* The next library's code. */
static bool
give_function(struct server *s, struct item *item)
{
    while (s->functions != NULL && s->function < s->functions->count) {
        const struct resp_value *library = &s->functions->child[s->function++];
        for (size_t i = 0; i + 1 < library->count; i += 2) {
            if (library->child[i].text == NULL || strcmp(library->child[i].text, "library_code") != 0)
                continue;
            *item = (struct item){ .kind = ITEM_FUNCTION, .expires_ms = -1 };
            item->value = (struct resp_arg){ .data = library->child[i + 1].text, .len = library->child[i + 1].len };
            return true;
        }
    }
    return false;
}

/* ---- all ------------------------------------------------------------------------------------------------------------------------------ */

/* Goes on to where a key's value may be read: the next database, keys, values. SOURCE_END: nothing is left. */
static enum source_result
advance(struct server *s)
{
    while (s->keys == NULL || s->key == s->keys->child[1].count) {
        if (s->selected && s->ended) {
            s->selected = false;
            s->at_db++;
            rdb_seen_clear(&s->seen);
        }
        if (s->at_db == s->dbs)
            return SOURCE_END;
        if ((!s->selected && !select_db(s)) || !scan(s))
            return lost(s);
    }
    if (s->key == s->asked && !ask_values(s))
        return lost(s);
    return SOURCE_ITEM;
}

static enum source_result
server_next(struct source *source, struct item *item)
{
    struct server *s = (struct server *)source;
    if (!s->functions_asked)
        ask_functions(s);
    if (give_function(s, item))
        return SOURCE_ITEM;
    for (;;) {
        bool gone = false;
        enum source_result result = advance(s);
        if (result == SOURCE_ITEM)
            result = read_key(s, item, &gone);
        if (result != SOURCE_ITEM || (!gone && is_new(s, item)))
            return result;
    }
}

static void
server_close(struct source *source)
{
    struct server *s = (struct server *)source;
    link_close(&s->link);
    resp_value_destroy(s->keys);
    resp_value_destroy(s->dump);
    resp_value_destroy(s->when);
    resp_value_destroy(s->functions);
    rdb_seen_free(&s->seen);
    free(s->db);
    free(s);
}

struct source *
source_open_server(const struct link_address *address, const struct filter *filter, int64_t scan_count, char *error)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL) {
        snprintf(error, SOURCE_ERROR_MAX, "out of memory");
        return NULL;
    }
    s->source = (struct source){ .next = server_next, .close = server_close, .unit = PROGRESS_KEYS };
    s->filter = filter;
    s->scan_count = scan_count;
    s->step = 1;
    if (!link_open(&s->link, address))
        snprintf(error, SOURCE_ERROR_MAX, "%s", s->link.error);
    else if (ask_databases(s, error))
        return &s->source;
    server_close(&s->source);
    return NULL;
}
