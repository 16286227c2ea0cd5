/* value_commands.c - a key with its RDB value as the commands that make it (see value_commands.h).
 *
 * A command is collected word by word: words are copied behind each other, because a piece of the value is good only while it is
 * handed out; their places become pointers when the command is complete.
 */
#include "cli/value_commands.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ELEMENTS_MAX 64u
#define BYTES_MAX 65536u
#define LARGE_BYTES 16384u /* an element of this size goes alone, uncopied */

struct making {
    const struct item *item;
    enum rdb_family family;
    value_command_fn *fn;
    void *arg;
    /* the command that is collected */
    struct buf bytes, words; /* words: struct resp_arg, with offsets */
    unsigned elements;
    uint64_t fields;         /* of a stream's entry: still to come */
    struct buf group, consumer;
    bool stopped;
};

/* ---- a command ---------------------------------------------------------------------------------------------------------------- */

static struct resp_arg
text_of(const char *text)
{
    return (struct resp_arg){ .data = text, .len = strlen(text) };
}

static struct resp_arg
string_of(const struct rdb_string *s)
{
    return (struct resp_arg){ .data = rdb_string_bytes(s), .len = s->len };
}

static struct resp_arg
pending_of(const struct buf *b)
{
    return (struct resp_arg){ .data = buf_pending(b) == 0 ? "" : buf_head(b), .len = buf_pending(b) };
}

static void
add(struct making *m, struct resp_arg word)
{
    struct resp_arg at = { .offset = m->bytes.len, .len = word.len };
    buf_append(&m->bytes, word.data, word.len);
    buf_append(&m->words, &at, sizeof at);
}

static bool
hand_out(struct making *m, int argc, const struct resp_arg *argv)
{
    m->stopped = m->stopped || !m->fn(m->arg, argc, argv);
    return !m->stopped;
}

/* Hands the collected command out, if there is one. */
static bool
flush(struct making *m)
{
    size_t count = m->words.len / sizeof(struct resp_arg);
    if (buf_failed(&m->bytes) || buf_failed(&m->words))
        return false;
    struct resp_arg *word = (struct resp_arg *)(void *)m->words.data;
    for (size_t i = 0; i < count; i++)
        word[i].data = m->bytes.data == NULL ? "" : m->bytes.data + word[i].offset;
    bool ok = count == 0 || hand_out(m, (int)count, word);
    buf_clear(&m->bytes, 2 * BYTES_MAX);
    buf_clear(&m->words, 1 << 20);
    m->elements = 0;
    return ok;
}

/* Adds an element of one or two words to a command of this name and this key; or gives it alone, if it is large. */
static bool
put_element(struct making *m, const char *command, unsigned words, const struct resp_arg *word)
{
    size_t n = word[0].len + (words > 1 ? word[1].len : 0);
    if (n >= LARGE_BYTES || m->elements >= ELEMENTS_MAX || m->bytes.len + n > BYTES_MAX)
        if (!flush(m))
            return false;
    if (n >= LARGE_BYTES)
        return hand_out(m, 2 + (int)words, (struct resp_arg[]){ text_of(command), m->item->key, word[0], word[words - 1] });
    if (m->elements++ == 0) {
        add(m, text_of(command));
        add(m, m->item->key);
    }
    for (unsigned i = 0; i < words; i++)
        add(m, word[i]);
    return true;
}

/* ---- plain types ---------------------------------------------------------------------------------------------------------------- */

static bool
put_scored(struct making *m, const struct rdb_piece *p)
{
    char score[40];
    snprintf(score, sizeof score, isinf(p->score) ? (p->score > 0 ? "inf" : "-inf") : "%.17g", p->score);
    return put_element(m, "ZADD", 2, (struct resp_arg[]){ text_of(score), string_of(&p->value) });
}

static bool
put_field(struct making *m, const struct rdb_piece *p)
{
    char when[24];
    if (!put_element(m, "HSET", 2, (struct resp_arg[]){ string_of(&p->name), string_of(&p->value) }))
        return false;
    if (p->expires_ms < 0)
        return true;
    snprintf(when, sizeof when, "%" PRId64, p->expires_ms);
    return flush(m) && hand_out(m, 6, (struct resp_arg[]){ text_of("HPEXPIREAT"), m->item->key, text_of(when), text_of("FIELDS"),
                                                           text_of("1"), string_of(&p->name) });
}

/* ---- streams -------------------------------------------------------------------------------------------------------------------- */

static struct resp_arg
id_of(char text[48], struct rdb_id id)
{
    snprintf(text, 48, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
    return text_of(text);
}

static bool
put_entry(struct making *m, const struct rdb_piece *p)
{
    char id[48];
    if (!flush(m))
        return false;
    add(m, text_of("XADD"));
    add(m, m->item->key);
    add(m, id_of(id, p->id));
    m->fields = p->count;
    return true;
}

static bool
put_entry_field(struct making *m, const struct rdb_piece *p)
{
    add(m, string_of(&p->name));
    add(m, string_of(&p->value));
    m->fields--;
    return m->fields > 0 || flush(m);
}

/* An empty stream comes into being by an entry that is gone at once. */
static bool
put_about(struct making *m, const struct rdb_piece *p)
{
    char last[48], deleted[48], added[24], first[48];
    struct rdb_id id = p->id.ms == 0 && p->id.seq == 0 ? (struct rdb_id){ 0, 1 } : p->id;
    snprintf(added, sizeof added, "%" PRIu64, p->added);
    if (p->count == 0 && !hand_out(m, 7, (struct resp_arg[]){ text_of("XADD"), m->item->key, text_of("MAXLEN"), text_of("0"),
                                                              id_of(first, id), text_of("x"), text_of("y") }))
        return false;
    return hand_out(m, 7, (struct resp_arg[]){ text_of("XSETID"), m->item->key, id_of(last, p->id), text_of("ENTRIESADDED"),
                                               text_of(added), text_of("MAXDELETEDID"), id_of(deleted, p->deleted) });
}

static void
keep(struct buf *to, const struct rdb_string *s)
{
    buf_clear(to, BYTES_MAX);
    buf_append(to, rdb_string_bytes(s), s->len);
}

static bool
put_group(struct making *m, const struct rdb_piece *p)
{
    char id[48], entries_read[24];
    keep(&m->group, &p->name);
    snprintf(entries_read, sizeof entries_read, "%" PRId64, p->read);
    return hand_out(m, 7, (struct resp_arg[]){ text_of("XGROUP"), text_of("CREATE"), m->item->key, string_of(&p->name),
                                               id_of(id, p->id), text_of("ENTRIESREAD"), text_of(entries_read) });
}

static bool
put_consumer(struct making *m, const struct rdb_piece *p)
{
    keep(&m->consumer, &p->name);
    return hand_out(m, 5, (struct resp_arg[]){ text_of("XGROUP"), text_of("CREATECONSUMER"), m->item->key, pending_of(&m->group),
                                               string_of(&p->name) });
}

static bool
put_pending(struct making *m, const struct rdb_piece *p)
{
    char id[48], when[24], count[24];
    snprintf(when, sizeof when, "%" PRId64, p->seen_ms);
    snprintf(count, sizeof count, "%" PRIu64, p->count);
    return hand_out(m, 12, (struct resp_arg[]){ text_of("XCLAIM"), m->item->key, pending_of(&m->group), pending_of(&m->consumer),
                                                text_of("0"), id_of(id, p->id), text_of("TIME"), text_of(when),
                                                text_of("RETRYCOUNT"), text_of(count), text_of("JUSTID"), text_of("FORCE") });
}

/* ---- the value ------------------------------------------------------------------------------------------------------------------ */

static bool
put_piece(void *arg, const struct rdb_piece *p)
{
    struct making *m = arg;
    struct resp_arg value = string_of(&p->value);
    switch (p->kind) {
    case RDB_PIECE_STRING:
        return hand_out(m, 3, (struct resp_arg[]){ text_of("SET"), m->item->key, value });
    case RDB_PIECE_ELEMENT:
        return put_element(m, m->family == RDB_LIST ? "RPUSH" : "SADD", 1, &value);
    case RDB_PIECE_SCORED:
        return put_scored(m, p);
    case RDB_PIECE_FIELD:
        return m->family == RDB_HASH ? put_field(m, p) : put_entry_field(m, p);
    case RDB_PIECE_ENTRY:
        return put_entry(m, p);
    case RDB_PIECE_STREAM:
        return put_about(m, p);
    case RDB_PIECE_GROUP:
        return put_group(m, p);
    case RDB_PIECE_CONSUMER:
        return put_consumer(m, p);
    case RDB_PIECE_PENDING:
        return put_pending(m, p);
    }
    return false;
}

static bool
put_expiry(struct making *m)
{
    char when[24];
    if (m->item->expires_ms < 0)
        return true;
    snprintf(when, sizeof when, "%" PRId64, m->item->expires_ms);
    return hand_out(m, 3, (struct resp_arg[]){ text_of("PEXPIREAT"), m->item->key, text_of(when) });
}

static bool
put_key(struct making *m, struct rdb_value *v, char *error)
{
    const struct item *item = m->item;
    const struct rdb_form_row *row = rdb_form(item->form);
    struct rdb_read r = rdb_read_of(item->value.data, 0, item->value.len);
    if (row == NULL || row->family == RDB_MODULE) {
        snprintf(error, VALUE_ERROR_MAX, "a module's value (or one of an unknown type) cannot be made by commands");
        return false;
    }
    m->family = row->family;
    *v = (struct rdb_value){ .fn = put_piece, .arg = m, .scratch = { v->scratch[0], v->scratch[1], v->scratch[2] },
                             .seen = { v->seen[0], v->seen[1] } };
    if (rdb_value_read(v, item->form, &r) && flush(m) && put_expiry(m))
        return true;
    if (m->stopped)
        *error = '\0';
    else
        snprintf(error, VALUE_ERROR_MAX, "its value cannot be read: %s", r.wrong != NULL ? r.wrong : "out of memory");
    return false;
}

bool
value_to_commands(struct rdb_value *v, const struct item *item, value_command_fn *fn, void *arg, char *error)
{
    if (item->kind == ITEM_FUNCTION) {
        *error = '\0';
        return fn(arg, 3, (struct resp_arg[]){ text_of("FUNCTION"), text_of("LOAD"), item->value });
    }
    struct making m = { .item = item, .fn = fn, .arg = arg };
    bool ok = put_key(&m, v, error);
    buf_destroy(&m.bytes);
    buf_destroy(&m.words);
    buf_destroy(&m.group);
    buf_destroy(&m.consumer);
    return ok;
}
