/* value_read.c - a line of JSON as a key with its RDB value (see value_json.h).
 *
 * The plain RDB forms are made: every version of Redis reads them, and packs them as it likes. A type is a row of a table.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base64.h"
#include "cli/value_json.h"
#include "format/rdb_out.h"
#include "format/rdb_stream_out.h"

#define LARGE_BYTES 65536u

/* A line while it is read. */
struct reading {
    struct value_reader *r;
    const struct json_read *j;
    struct buf *out;
    unsigned form;
    char *error;
};

static bool
wrong(struct reading *g, const char *what)
{
    snprintf(g->error, VALUE_ERROR_MAX, "%s", what);
    return false;
}

static bool
bytes_of(struct reading *g, size_t token, struct resp_arg *bytes)
{
    return json_bytes(g->j, token, &g->r->text, bytes) || wrong(g, "a string, or {\"base64\": ...}, was expected in its value");
}

/* A long one goes into the value without a stop in between. */
static bool
put_bytes(struct reading *g, size_t token)
{
    struct resp_arg bytes;
    if (json_base64(g->j, token, &bytes) && bytes.len >= LARGE_BYTES) {
        rdb_out_length(g->out, base64_length(bytes.data, bytes.len));
        return base64_decode(bytes.data, bytes.len, g->out) || wrong(g, "base64 that is none is in its value, or memory is short");
    }
    if (!bytes_of(g, token, &bytes))
        return false;
    rdb_out_string(g->out, bytes.data, bytes.len, false);
    return true;
}

static bool
is(const struct reading *g, size_t token, enum json_type type)
{
    return token != 0 && g->j->token[token].type == type;
}

/* The member of an object, which has to be of this type; 0 with a sentence. */
static size_t
member(struct reading *g, size_t object, const char *name, enum json_type type)
{
    size_t token = json_find(g->j, object, name);
    if (is(g, token, type))
        return token;
    snprintf(g->error, VALUE_ERROR_MAX, "'%s' is missing in its value, or is of the wrong type", name);
    return 0;
}

static bool
member_int(struct reading *g, size_t object, const char *name, int64_t *number)
{
    size_t token = member(g, object, name, JSON_NUMBER);
    return token != 0 && (json_int(g->j, token, number) || wrong(g, "a number of its value is no whole number"));
}

/* ---- plain types ------------------------------------------------------------------------------------------------------------ */

static bool
read_string(struct reading *g, size_t token)
{
    g->form = RDB_FORM_STRING;
    return put_bytes(g, token);
}

static bool
read_elements(struct reading *g, size_t token)
{
    if (!is(g, token, JSON_ARRAY) || g->j->token[token].count == 0)
        return wrong(g, "its value is no array, or an empty one");
    rdb_out_length(g->out, g->j->token[token].count);
    for (size_t at = token + 1; at < g->j->token[token].next; at = g->j->token[at].next)
        if (!put_bytes(g, at))
            return false;
    return true;
}

static bool
read_list(struct reading *g, size_t token)
{
    g->form = RDB_FORM_LIST;
    return read_elements(g, token);
}

static bool
read_set(struct reading *g, size_t token)
{
    g->form = RDB_FORM_SET;
    return read_elements(g, token);
}

static bool
read_score(struct reading *g, size_t token, double *score)
{
    if (json_is(g->j, token, "inf"))
        *score = HUGE_VAL;
    else if (json_is(g->j, token, "-inf"))
        *score = -HUGE_VAL;
    else if (!json_double(g->j, token, score))
        return wrong(g, "a score is no number");
    return true;
}

static bool
read_zset(struct reading *g, size_t token)
{
    double score;
    g->form = RDB_FORM_ZSET_2;
    if (!is(g, token, JSON_ARRAY) || g->j->token[token].count == 0)
        return wrong(g, "its value is no array, or an empty one");
    rdb_out_length(g->out, g->j->token[token].count);
    for (size_t at = token + 1; at < g->j->token[token].next; at = g->j->token[at].next) {
        if (!is(g, at, JSON_ARRAY) || g->j->token[at].count != 2)
            return wrong(g, "a member is no pair of text and score");
        if (!put_bytes(g, at + 1) || !read_score(g, g->j->token[at + 1].next, &score))
            return false;
        buf_append(g->out, &score, sizeof score);
    }
    return true;
}

/* ---- hashes ----------------------------------------------------------------------------------------------------------------- */

/* A field: tokens of its parts. */
struct field {
    size_t name, value;
    int64_t expires_ms; /* 0: never */
};

/* The field that begins at the token; its parts' end in *next. */
static bool
take_field(struct reading *g, size_t at, bool object, struct field *f, size_t *next)
{
    f->expires_ms = 0;
    if (object) {
        f->name = at;
        f->value = at + 1;
        *next = g->j->token[at + 1].next;
        return true;
    }
    uint64_t count = g->j->token[at].count;
    if (!is(g, at, JSON_ARRAY) || count < 2 || count > 3)
        return wrong(g, "a field is no pair");
    f->name = at + 1;
    f->value = g->j->token[at + 1].next;
    *next = g->j->token[at].next;
    return count == 2 || (json_int(g->j, g->j->token[f->value].next, &f->expires_ms) && f->expires_ms > 0) ||
           wrong(g, "a field's expiry is no whole number above 0");
}

/* The least expiry of a field; 0: none expires. */
static bool
least_expiry(struct reading *g, size_t token, bool object, int64_t *least)
{
    struct field f;
    *least = 0;
    for (size_t at = token + 1; at < g->j->token[token].next;) {
        if (!take_field(g, at, object, &f, &at))
            return false;
        if (f.expires_ms > 0 && (*least == 0 || f.expires_ms < *least))
            *least = f.expires_ms;
    }
    return true;
}

/* With expiries: the least of all in front, and before each field its own less that plus 1, or 0 for none. */
static bool
read_hash(struct reading *g, size_t token)
{
    bool object = is(g, token, JSON_OBJECT);
    int64_t least;
    if ((!object && !is(g, token, JSON_ARRAY)) || g->j->token[token].count == 0)
        return wrong(g, "its value is neither an object nor an array of pairs, or it is empty");
    if (!least_expiry(g, token, object, &least))
        return false;
    g->form = least > 0 ? RDB_FORM_HASH_METADATA : RDB_FORM_HASH;
    if (least > 0)
        buf_append(g->out, &least, sizeof least);
    rdb_out_length(g->out, g->j->token[token].count);
    for (size_t at = token + 1; at < g->j->token[token].next;) {
        struct field f;
        if (!take_field(g, at, object, &f, &at))
            return false;
        if (least > 0)
            rdb_out_length(g->out, f.expires_ms > 0 ? (uint64_t)(f.expires_ms - least + 1) : 0);
        if (!put_bytes(g, f.name) || !put_bytes(g, f.value))
            return false;
    }
    return true;
}

/* ---- streams ---------------------------------------------------------------------------------------------------------------- */

static bool
read_id(struct reading *g, size_t token, struct rdb_id *id)
{
    char text[48], *end;
    const struct json_token *t = &g->j->token[token];
    if (!is(g, token, JSON_STRING) || t->to - t->from >= sizeof text)
        return wrong(g, "an id of its stream is none");
    memcpy(text, g->j->text + t->from, t->to - t->from);
    text[t->to - t->from] = '\0';
    if (*text < '0' || *text > '9')
        return wrong(g, "an id of its stream is none");
    id->ms = strtoull(text, &end, 10);
    if (*end != '-' || end[1] < '0' || end[1] > '9')
        return wrong(g, "an id of its stream is none");
    id->seq = strtoull(end + 1, &end, 10);
    return *end == '\0' || wrong(g, "an id of its stream is none");
}

static bool
member_id(struct reading *g, size_t object, const char *name, struct rdb_id *id)
{
    size_t token = member(g, object, name, JSON_STRING);
    return token != 0 && read_id(g, token, id);
}

/* The strings of an array, into r->words. */
static bool
take_words(struct reading *g, size_t array)
{
    struct value_reader *r = g->r;
    uint64_t count = g->j->token[array].count, n = 0;
    if (count > r->words_cap) {
        struct resp_arg *words = realloc(r->words, count * sizeof *words);
        if (words == NULL)
            return wrong(g, "out of memory for its value");
        r->words = words;
        r->words_cap = count;
    }
    for (size_t at = array + 1; at < g->j->token[array].next; at = g->j->token[at].next)
        if (!bytes_of(g, at, &r->words[n++]))
            return false;
    return true;
}

static bool
read_entries(struct reading *g, struct rdb_stream_out *s, size_t entries)
{
    struct rdb_id id;
    for (size_t at = entries + 1; at < g->j->token[entries].next; at = g->j->token[at].next) {
        size_t words = is(g, at, JSON_ARRAY) && g->j->token[at].count == 2 ? g->j->token[at + 1].next : 0;
        if (!is(g, words, JSON_ARRAY) || g->j->token[words].count == 0 || g->j->token[words].count % 2 != 0)
            return wrong(g, "an entry of its stream is no pair of id and fields with values");
        if (!read_id(g, at + 1, &id) || !take_words(g, words))
            return false;
        if (!rdb_stream_out_entry(s, id, g->r->words, g->j->token[words].count / 2))
            return wrong(g, "the ids of its stream do not rise");
    }
    return true;
}

struct pending {
    struct rdb_id id;
    int64_t delivered_ms, deliveries;
};

static int
by_id(const void *a, const void *b)
{
    const struct pending *x = a, *y = b;
    if (x->id.ms != y->id.ms)
        return x->id.ms < y->id.ms ? -1 : 1;
    return (x->id.seq > y->id.seq) - (x->id.seq < y->id.seq);
}

static bool
read_pending(struct reading *g, size_t at, struct pending *p)
{
    if (!is(g, at, JSON_ARRAY) || g->j->token[at].count != 3 || !json_int(g->j, at + 2, &p->delivered_ms) ||
        !json_int(g->j, at + 3, &p->deliveries) || p->deliveries < 0)
        return wrong(g, "a pending entry is not an id, a time and a number");
    return read_id(g, at + 1, &p->id);
}

/* All pending entries of a group's consumers, sorted; owned by the caller. */
static bool
gather_pending(struct reading *g, size_t consumers, struct pending **all, size_t *count)
{
    size_t cap = 0;
    for (size_t c = consumers + 1; c < g->j->token[consumers].next; c = g->j->token[c].next) {
        size_t list = member(g, c, "pending", JSON_ARRAY);
        if (list == 0)
            return false;
        cap += g->j->token[list].count;
    }
    *all = malloc((cap + 1) * sizeof **all);
    if (*all == NULL)
        return wrong(g, "out of memory for its value");
    for (size_t c = consumers + 1; c < g->j->token[consumers].next; c = g->j->token[c].next) {
        size_t list = json_find(g->j, c, "pending");
        for (size_t at = list + 1; at < g->j->token[list].next; at = g->j->token[at].next)
            if (!read_pending(g, at, &(*all)[(*count)++]))
                return false;
    }
    qsort(*all, *count, sizeof **all, by_id);
    return true;
}

static bool
read_consumer(struct reading *g, struct rdb_stream_out *s, size_t consumer)
{
    int64_t seen;
    struct resp_arg name;
    size_t list = json_find(g->j, consumer, "pending"), token = json_find(g->j, consumer, "name");
    struct pending p;
    if (token == 0 || !bytes_of(g, token, &name))
        return wrong(g, "a consumer has no name");
    if (!member_int(g, consumer, "seen_ms", &seen))
        return false;
    rdb_stream_out_consumer(s, &name, seen, g->j->token[list].count);
    for (size_t at = list + 1; at < g->j->token[list].next; at = g->j->token[at].next) {
        if (!read_pending(g, at, &p))
            return false;
        rdb_stream_out_id(s, p.id);
    }
    return true;
}

static bool
read_group(struct reading *g, struct rdb_stream_out *s, size_t group)
{
    struct resp_arg name;
    struct rdb_id last;
    int64_t entries_read;
    struct pending *all = NULL;
    size_t count = 0, token = json_find(g->j, group, "name"), consumers = member(g, group, "consumers", JSON_ARRAY);
    if (consumers == 0 || token == 0 || !bytes_of(g, token, &name))
        return wrong(g, "a group has no name or no consumers");
    bool ok = member_id(g, group, "last_id", &last) && member_int(g, group, "entries_read", &entries_read) &&
              gather_pending(g, consumers, &all, &count);
    if (ok)
        rdb_stream_out_group(s, &name, last, entries_read, count);
    for (size_t i = 0; ok && i < count; i++)
        rdb_stream_out_pending(s, all[i].id, all[i].delivered_ms, (uint64_t)all[i].deliveries);
    free(all);
    if (ok)
        rdb_stream_out_consumers(s, g->j->token[consumers].count);
    for (size_t at = consumers + 1; ok && at < g->j->token[consumers].next; at = g->j->token[at].next)
        ok = read_consumer(g, s, at);
    return ok;
}

static bool
read_about(struct reading *g, size_t token, struct rdb_stream_about *about)
{
    int64_t length, added;
    if (!member_int(g, token, "length", &length) || !member_int(g, token, "entries_added", &added))
        return false;
    if (length < 0 || added < 0)
        return wrong(g, "a number of its stream is below 0");
    about->length = (uint64_t)length;
    about->added = (uint64_t)added;
    return member_id(g, token, "last_id", &about->last) && member_id(g, token, "first_id", &about->first) &&
           member_id(g, token, "max_deleted_id", &about->deleted);
}

static bool
read_stream(struct reading *g, size_t token)
{
    struct rdb_stream_out s;
    struct rdb_stream_about about;
    size_t entries = member(g, token, "entries", JSON_ARRAY), groups = entries == 0 ? 0 : member(g, token, "groups", JSON_ARRAY);
    if (groups == 0 || !read_about(g, token, &about))
        return false;
    g->form = RDB_FORM_STREAM_LISTPACKS_2;
    rdb_stream_out_init(&s);
    bool ok = read_entries(g, &s, entries);
    if (ok && s.length != about.length)
        ok = wrong(g, "the length of its stream is not the number of its entries");
    if (ok)
        rdb_stream_out_entries_end(&s, &about, g->j->token[groups].count);
    for (size_t at = groups + 1; ok && at < g->j->token[groups].next; at = g->j->token[at].next)
        ok = read_group(g, &s, at);
    if (ok && buf_failed(&s.out))
        ok = wrong(g, "out of memory for its value");
    if (ok)
        buf_append(g->out, buf_head(&s.out), buf_pending(&s.out));
    rdb_stream_out_free(&s);
    return ok;
}

/* ---- the line --------------------------------------------------------------------------------------------------------------- */

static bool
read_module(struct reading *g, size_t token)
{
    int64_t form;
    struct resp_arg bytes;
    size_t rdb = json_find(g->j, token, "rdb");
    if (!member_int(g, token, "form", &form) || form < 0 || form >= RDB_FORMS || rdb == 0 || !bytes_of(g, rdb, &bytes))
        return wrong(g, "a module's value needs form and rdb");
    const struct rdb_form_row *row = rdb_form((unsigned)form);
    if (row == NULL || row->family != RDB_MODULE)
        return wrong(g, "its form is none of a module's");
    g->form = (unsigned)form;
    buf_append(g->out, bytes.data, bytes.len);
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct reading *g, size_t token);
} types[] = {
    { "string", read_string }, { "list", read_list },     { "set", read_set },       { "zset", read_zset },
    { "hash", read_hash },     { "stream", read_stream }, { "module", read_module },
};

static bool
read_function(struct reading *g, size_t token, struct item *item)
{
    item->kind = ITEM_FUNCTION;
    return bytes_of(g, token, &item->value);
}

static bool
read_value(struct reading *g, size_t type, size_t token, struct item *item)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (!json_is(g->j, type, types[i].name))
            continue;
        if (!types[i].read(g, token))
            return false;
        item->form = g->form;
        item->value = (struct resp_arg){ .data = buf_head(g->out), .len = buf_pending(g->out) };
        return !buf_failed(g->out) || wrong(g, "out of memory for its value");
    }
    return wrong(g, "its type is not known");
}

static bool
read_members(struct reading *g, struct item *item)
{
    int64_t db = 0;
    size_t type = json_find(g->j, 0, "type"), value = json_find(g->j, 0, "value"), key = json_find(g->j, 0, "key");
    size_t expires = json_find(g->j, 0, "expires_ms"), database = json_find(g->j, 0, "db");
    if (type == 0 || value == 0)
        return wrong(g, "'type' or 'value' is missing");
    if (json_is(g->j, type, "function"))
        return read_function(g, value, item);
    if (key == 0 || !bytes_of(g, key, &item->key))
        return wrong(g, "'key' is missing, or is no string");
    if (database != 0 && (!json_int(g->j, database, &db) || db < 0))
        return wrong(g, "'db' is no number of a database");
    if (is(g, expires, JSON_NUMBER) && (!json_int(g->j, expires, &item->expires_ms) || item->expires_ms < 0))
        return wrong(g, "'expires_ms' is no whole number from 0");
    item->db = (uint64_t)db;
    return read_value(g, type, value, item);
}

bool
value_from_json(struct value_reader *r, const char *line, size_t n, struct item *item, char *error)
{
    struct reading g = { .r = r, .j = &r->json, .out = &r->value, .error = error };
    *item = (struct item){ .kind = ITEM_KEY, .expires_ms = -1, .place = item->place };
    buf_clear(&r->text, 1 << 20);
    buf_clear(&r->value, 1 << 20);
    if (!json_read_line(&r->json, line, n)) {
        snprintf(error, VALUE_ERROR_MAX, "column %zu: %s", r->json.at + 1, r->json.wrong);
        return false;
    }
    if (!json_bytes_reserve(&r->json, &r->text))
        return wrong(&g, "out of memory for its strings");
    return read_members(&g, item);
}

void
value_reader_free(struct value_reader *r)
{
    json_read_free(&r->json);
    buf_destroy(&r->text);
    buf_destroy(&r->value);
    free(r->words);
    *r = (struct value_reader){ 0 };
}
