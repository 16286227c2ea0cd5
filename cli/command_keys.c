/* command_keys.c - which keys a command of a log is about (see command_keys.h). */
#include "cli/command_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { AT_NAME, AT_ARITY, AT_FLAGS, AT_FIRST, AT_LAST, AT_STEP, AT_END }; /* of an entry of COMMAND */

struct command_place {
    const char *name;
    int64_t first, last, step; /* first 0: to be asked for */
};

static int
by_name(const void *a, const void *b)
{
    const struct command_place *x = a, *y = b;
    return strcasecmp(x->name, y->name);
}

/* Are the keys where the numbers say, and nowhere else? */
static bool
is_fixed(const struct resp_value *flags)
{
    for (size_t i = 0; i < flags->count; i++)
        if (flags->child[i].text != NULL && strcmp(flags->child[i].text, "movablekeys") == 0)
            return false;
    return true;
}

static bool
load(struct command_keys *k, const struct link_address *address)
{
    if (!link_open(&k->link, address))
        return false;
    k->reply = link_command(&k->link, 1, &(struct resp_arg){ .data = "COMMAND", .len = 7 });
    if (k->reply == NULL)
        return false;
    k->place = calloc(k->reply->count + 1, sizeof *k->place);
    for (size_t i = 0; k->place != NULL && i < k->reply->count; i++) {
        const struct resp_value *c = &k->reply->child[i];
        if (c->count < AT_END || c->child[AT_NAME].text == NULL)
            continue;
        struct command_place *p = &k->place[k->places++];
        *p = (struct command_place){ .name = c->child[AT_NAME].text, .last = c->child[AT_LAST].integer, .step = c->child[AT_STEP].integer };
        p->first = is_fixed(&c->child[AT_FLAGS]) && p->step > 0 ? c->child[AT_FIRST].integer : 0;
    }
    if (k->places == 0) {
        snprintf(k->link.error, sizeof k->link.error, "the server does not tell its commands (COMMAND), so keys cannot be told in those of a log");
        return false;
    }
    qsort(k->place, k->places, sizeof *k->place, by_name);
    return true;
}

static const struct command_place *
find(const struct command_keys *k, const struct resp_arg *name)
{
    char text[64];
    if (name->len >= sizeof text)
        return NULL;
    memcpy(text, name->data, name->len);
    text[name->len] = '\0';
    return bsearch(&(struct command_place){ .name = text }, k->place, k->places, sizeof *k->place, by_name);
}

static enum command_match
judge(uint64_t keys, uint64_t matching)
{
    return keys == 0 || (matching > 0 && matching < keys) ? COMMAND_BETWEEN : matching > 0 ? COMMAND_TAKEN : COMMAND_LEFT;
}

static enum command_match
match_fixed(const struct command_place *p, const struct filter *f, const struct item *item)
{
    uint64_t keys = 0, matching = 0;
    int64_t last = p->last < 0 ? item->argc + p->last : p->last;
    for (int64_t i = p->first; i <= last && i < item->argc; i += p->step) {
        keys++;
        matching += filter_takes_key(f, item->argv[i].data, item->argv[i].len);
    }
    return judge(keys, matching);
}

static enum command_match
match_asked(struct command_keys *k, const struct filter *f, const struct item *item)
{
    struct buf out;
    uint64_t matching = 0;
    buf_init(&out);
    buf_printf(&out, "*%d\r\n$7\r\nCOMMAND\r\n$7\r\nGETKEYS\r\n", item->argc + 2);
    for (int i = 0; i < item->argc; i++) {
        buf_printf(&out, "$%zu\r\n", item->argv[i].len);
        buf_append(&out, item->argv[i].data, item->argv[i].len);
        buf_append(&out, "\r\n", 2);
    }
    bool sent = link_send(&k->link, &out);
    buf_destroy(&out);
    struct resp_value *reply = sent ? link_read(&k->link) : NULL;
    if (reply == NULL)
        return COMMAND_LOST;
    uint64_t keys = reply->type == RESP_ARRAY ? reply->count : 0;
    for (uint64_t i = 0; i < keys; i++)
        matching += reply->child[i].text != NULL && filter_takes_key(f, reply->child[i].text, reply->child[i].len);
    resp_value_destroy(reply);
    return judge(keys, matching);
}

enum command_match
command_keys_match(struct command_keys *k, const struct link_address *address, const struct filter *f, const struct item *item)
{
    if (!k->ready && !load(k, address)) {
        snprintf(k->error, sizeof k->error, "%s", k->link.error);
        return COMMAND_LOST;
    }
    k->ready = true;
    const struct command_place *p = find(k, &item->argv[0]);
    enum command_match match = p != NULL && p->first > 0 ? match_fixed(p, f, item) : match_asked(k, f, item);
    if (match == COMMAND_LOST)
        snprintf(k->error, sizeof k->error, "%s", k->link.error);
    return match;
}

void
command_keys_close(struct command_keys *k)
{
    if (k->ready || k->link.reader != NULL)
        link_close(&k->link);
    resp_value_destroy(k->reply);
    free(k->place);
}
