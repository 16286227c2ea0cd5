/* cli_talk.c - commands sent, replies shown (see cli_talk.h).
 *
 * What is special about a command stands in one table: replies that are text for people and are shown as they are (the same
 * commands as in redis-cli), commands after which messages come without an end, and commands that are
 * answered by pushes.
 */
#include "cli/cli_talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xassert.h"

#define ASKS_FIRST 64u
#define KEEP_BYTES (1u << 20)

enum manner {
    AS_TEXT = 1, /* the reply is a text with ends of lines, shown as it is */
    ENDLESS = 2, /* messages follow till the connection ends */
    PUSHED = 4,  /* with version 3 of the protocol, the reply is a push */
    SELECTS = 8, /* +OK changes the database */
};

static const struct special {
    const char *name, *subcommand; /* subcommand NULL: any or none */
    unsigned manner;
} specials[] = {
    { "client", "info", AS_TEXT },
    { "client", "list", AS_TEXT },
    { "cluster", "info", AS_TEXT },
    { "cluster", "nodes", AS_TEXT },
    { "debug", "htstats", AS_TEXT },
    { "debug", "htstats-key", AS_TEXT },
    { "info", NULL, AS_TEXT },
    { "latency", "doctor", AS_TEXT },
    { "latency", "graph", AS_TEXT },
    { "lolwut", NULL, AS_TEXT },
    { "memory", "doctor", AS_TEXT },
    { "memory", "malloc-stats", AS_TEXT },
    { "monitor", NULL, ENDLESS },
    { "psubscribe", NULL, ENDLESS | PUSHED },
    { "punsubscribe", NULL, PUSHED },
    { "select", NULL, SELECTS },
    { "ssubscribe", NULL, ENDLESS | PUSHED },
    { "subscribe", NULL, ENDLESS | PUSHED },
    { "sunsubscribe", NULL, PUSHED },
    { "unsubscribe", NULL, PUSHED },
};

struct cli_asked {
    unsigned manner;
    int64_t database; /* with SELECTS */
};

static bool
is_word(const struct resp_arg *a, const char *word)
{
    return a->len == strlen(word) && strncasecmp(a->data, word, a->len) == 0;
}

static unsigned
manner_of(int argc, const struct resp_arg *argv)
{
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
        const struct special *s = &specials[i];
        if (is_word(&argv[0], s->name) && (s->subcommand == NULL || (argc > 1 && is_word(&argv[1], s->subcommand))))
            return s->manner;
    }
    return 0;
}

void
cli_talk_init(struct cli_talk *t, const struct link_address *address, cli_format *format)
{
    *t = (struct cli_talk){ .format = format };
    t->link.address = *address;
    t->link.fd = -1;
    buf_init(&t->out);
    buf_init(&t->text);
}

static void
disconnect(struct cli_talk *t)
{
    if (t->connected)
        link_close(&t->link);
    t->connected = false;
    t->asks = 0;
    buf_clear(&t->out, 0);
}

void
cli_talk_destroy(struct cli_talk *t)
{
    disconnect(t);
    buf_destroy(&t->out);
    buf_destroy(&t->text);
    free(t->asked);
}

/* Tells why and lets the connection go. False, for the caller to return. */
static bool
give_up(struct cli_talk *t)
{
    fflush(stdout);
    fprintf(stderr, "kvstash-cli: %s\n", t->link.error);
    disconnect(t);
    return false;
}

bool
cli_talk_connect(struct cli_talk *t)
{
    if (t->connected)
        return true;
    struct link_address address = t->link.address;
    t->connected = true; /* close is due in either case */
    return link_open(&t->link, &address) || give_up(t);
}

/* What SELECT's argument names, as a number; it is not terminated. */
static long long
database_of(const struct resp_arg *arg)
{
    char text[24];
    if (arg->len >= sizeof text)
        return 0;
    memcpy(text, arg->data, arg->len);
    text[arg->len] = '\0';
    return strtoll(text, NULL, 10);
}

bool
cli_talk_queue(struct cli_talk *t, int argc, const struct resp_arg *argv)
{
    xassert(argc > 0);
    if (t->asks == t->asks_cap) {
        size_t cap = t->asks_cap == 0 ? ASKS_FIRST : t->asks_cap * 2;
        struct cli_asked *asked = realloc(t->asked, cap * sizeof *asked);
        if (asked == NULL) {
            fprintf(stderr, "kvstash-cli: out of memory\n");
            return false;
        }
        t->asked = asked;
        t->asks_cap = cap;
    }
    struct cli_asked *a = &t->asked[t->asks++];
    a->manner = manner_of(argc, argv);
    a->database = argc == 2 ? database_of(&argv[1]) : 0;
    link_request(&t->out, argc, argv);
    return true;
}

bool
cli_talk_is_endless(const struct cli_talk *t)
{
    return t->asks > 0 && (t->asked[t->asks - 1].manner & ENDLESS) != 0;
}

/* Writes out the text of a reply. */
static void
show(struct cli_talk *t, const struct resp_value *reply, unsigned manner)
{
    cli_format *format = (manner & AS_TEXT) != 0 && t->format != cli_format_json ? cli_format_text : t->format;
    format(&t->text, reply);
    if (buf_failed(&t->text))
        fprintf(stderr, "kvstash-cli: out of memory for showing a reply\n");
    else
        fwrite(buf_head(&t->text), 1, buf_pending(&t->text), stdout);
    buf_clear(&t->text, KEEP_BYTES);
}

/* The next reply to a command of this manner; pushes that are none are shown or dropped. */
static struct resp_value *
next_reply(struct cli_talk *t, unsigned manner)
{
    struct resp_value *reply;
    while ((reply = link_read(&t->link)) != NULL) {
        if (reply->type != RESP_PUSH || (manner & PUSHED) != 0)
            return reply;
        if (t->show_pushes)
            show(t, reply, 0);
        resp_value_destroy(reply);
    }
    return NULL;
}

/* Shows what comes till the connection ends. */
static bool
show_messages(struct cli_talk *t, unsigned manner)
{
    struct resp_value *message;
    if (t->format == cli_format_typed && (manner & PUSHED) != 0)
        puts("Reading messages... (press Ctrl-C to quit)");
    fflush(stdout);
    while ((message = link_read(&t->link)) != NULL) {
        show(t, message, 0);
        fflush(stdout);
        resp_value_destroy(message);
    }
    return give_up(t);
}

/* False: the reply is an error that ends the conversation. */
static bool
take_reply(struct cli_talk *t, const struct cli_asked *a, const struct resp_value *reply)
{
    if (reply->type == RESP_ERROR && t->exit_status) {
        fflush(stdout);
        fprintf(stderr, "%s\n", reply->text);
        return false;
    }
    if ((a->manner & SELECTS) != 0 && reply->type == RESP_SIMPLE)
        t->link.address.database = a->database;
    show(t, reply, a->manner);
    return true;
}

bool
cli_talk_flush(struct cli_talk *t)
{
    if (!link_send(&t->link, &t->out))
        return give_up(t);
    for (size_t i = 0; i < t->asks; i++) {
        const struct cli_asked *a = &t->asked[i];
        if ((a->manner & (ENDLESS | PUSHED)) == (ENDLESS | PUSHED))
            return show_messages(t, a->manner);
        struct resp_value *reply = next_reply(t, a->manner);
        if (reply == NULL)
            return give_up(t);
        bool goes_on = take_reply(t, a, reply);
        bool messages = (a->manner & ENDLESS) != 0 && reply->type != RESP_ERROR;
        resp_value_destroy(reply);
        if (!goes_on)
            return false;
        if (messages)
            return show_messages(t, a->manner);
    }
    t->asks = 0;
    fflush(stdout);
    return true;
}
