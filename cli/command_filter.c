/* command_filter.c - does the filter take a command of a log? (see command_filter.h)
 *
 * The idea: where a command's keys are is known to the server alone, whose table is asked for once and kept sorted by name. From it the keys
 * of most commands are counted here; the others are sent as they are to COMMAND GETKEYS. A command is taken or left as a whole: what
 * is about keys of both kinds can be neither, and the caller says so.
 */
#include "cli/command_filter.h"

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
load(struct command_filter *cf, const struct link_address *address)
{
    if (!link_open(&cf->link, address))
        return false;
    cf->reply = link_command(&cf->link, 1, &(struct resp_arg){ .data = "COMMAND", .len = 7 });
    if (cf->reply == NULL)
        return false;
    cf->place = calloc(cf->reply->count + 1, sizeof *cf->place);
    for (size_t i = 0; cf->place != NULL && i < cf->reply->count; i++) {
        const struct resp_value *c = &cf->reply->child[i];
        if (c->count < AT_END || c->child[AT_NAME].text == NULL)
            continue;
        struct command_place *p = &cf->place[cf->places++];
        *p = (struct command_place){ .name = c->child[AT_NAME].text, .last = c->child[AT_LAST].integer, .step = c->child[AT_STEP].integer };
        p->first = is_fixed(&c->child[AT_FLAGS]) && p->step > 0 ? c->child[AT_FIRST].integer : 0;
    }
    if (cf->places == 0) {
        snprintf(cf->link.error, sizeof cf->link.error, "the server does not tell its commands (COMMAND), so keys cannot be told in those of a log");
        return false;
    }
    qsort(cf->place, cf->places, sizeof *cf->place, by_name);
    return true;
}

static const struct command_place *
find(const struct command_filter *cf, const struct resp_arg *name)
{
    char text[64];
    if (name->len >= sizeof text)
        return NULL;
    memcpy(text, name->data, name->len);
    text[name->len] = '\0';
    return bsearch(&(struct command_place){ .name = text }, cf->place, cf->places, sizeof *cf->place, by_name);
}

static enum command_filter_result
judge(uint64_t keys, uint64_t matching)
{
    return keys == 0 || (matching > 0 && matching < keys) ? COMMAND_FILTER_BETWEEN : matching > 0 ? COMMAND_FILTER_TAKEN : COMMAND_FILTER_LEFT;
}

static enum command_filter_result
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

static enum command_filter_result
match_asked(struct command_filter *cf, const struct filter *f, const struct item *item)
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
    bool sent = link_send(&cf->link, &out);
    buf_destroy(&out);
    struct resp_value *reply = sent ? link_read(&cf->link) : NULL;
    if (reply == NULL)
        return COMMAND_FILTER_LOST;
    uint64_t keys = reply->type == RESP_ARRAY ? reply->count : 0;
    for (uint64_t i = 0; i < keys; i++)
        matching += reply->child[i].text != NULL && filter_takes_key(f, reply->child[i].text, reply->child[i].len);
    resp_value_destroy(reply);
    return judge(keys, matching);
}

enum command_filter_result
command_filter_match(struct command_filter *cf, const struct link_address *address, const struct filter *f, const struct item *item)
{
    if (!cf->ready && !load(cf, address)) {
        snprintf(cf->error, sizeof cf->error, "%s", cf->link.error);
        return COMMAND_FILTER_LOST;
    }
    cf->ready = true;
    const struct command_place *p = find(cf, &item->argv[0]);
    enum command_filter_result match = p != NULL && p->first > 0 ? match_fixed(p, f, item) : match_asked(cf, f, item);
    if (match == COMMAND_FILTER_LOST)
        snprintf(cf->error, sizeof cf->error, "%s", cf->link.error);
    return match;
}

void
command_filter_close(struct command_filter *cf)
{
    if (cf->ready || cf->link.reader != NULL)
        link_close(&cf->link);
    resp_value_destroy(cf->reply);
    free(cf->place);
}
