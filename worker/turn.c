/* turn.c - batches of requests over all ready connections (see turn.h).
 *
 * A connection is in the list of ready ones from its first unseen input until its requests are run, then in that of the
 * answered ones until the turn ends: replies leave together, so that a client process that serves many connections is
 * woken once and not for each (measured: 18 % of a worker's time at pipeline 16 went into waking). Commands of one
 * connection never close another (they mark it, and it is closed when its own turn comes), so the connections of a batch
 * stay valid until their own part has run.
 */
#include "worker/turn.h"

#include <stdlib.h>

#include "command/account.h"
#include "command/cmd_auth.h"
#include "command/clients.h"
#include "command/exec.h"
#include "worker/monitors.h"

#define WRITE_EARLY (1u << 20) /* replies pending before the rest of a batch's are made */
#define RETRY_S 0.001          /* parked commands are tried again this often */
#define PATIENCE_US 1000       /* all waiting for locks in one turn */

struct turn_parked {
    struct resp_request request[TURN_BATCH];
    int next, count;
};

/* The requests of one connection in a batch. */
struct part {
    struct conn *conn;
    int first, end;
    enum resp_parse_result got; /* how its parsing ended */
};

struct batch {
    struct resp_request request[TURN_BATCH];
    struct part part[TURN_BATCH];
    int requests, parts;
};

/* ---- lists of connections --------------------------------------------------------------------------------------- */

static void
link_last(struct conn_list *l, struct conn *c)
{
    c->list = l;
    c->list_next = NULL;
    c->list_prev = l->last;
    if (l->last)
        l->last->list_next = c;
    else
        l->first = c;
    l->last = c;
}

static void
link_first(struct conn_list *l, struct conn *c)
{
    c->list = l;
    c->list_prev = NULL;
    c->list_next = l->first;
    if (l->first)
        l->first->list_prev = c;
    else
        l->last = c;
    l->first = c;
}

static void
unlink_conn(struct conn *c)
{
    struct conn_list *l = c->list;
    if (c->list_prev)
        c->list_prev->list_next = c->list_next;
    else
        l->first = c->list_next;
    if (c->list_next)
        c->list_next->list_prev = c->list_prev;
    else
        l->last = c->list_prev;
    c->list = NULL;
}

void
turn_ready(struct conn *c)
{
    if (c->list || c->held)
        return; /* it runs already, or goes on when its replies are out */
    c->turns = 1;
    link_last(&c->worker->ready, c);
}

/* ---- parking --------------------------------------------------------------------------------------------------- */

static void
unpark(struct conn *c)
{
    struct conn **at = &c->worker->parked;
    while (*at != c)
        at = &(*at)->next_parked;
    *at = c->next_parked;
    free(c->parked);
    c->parked = NULL;
}

void
turn_forget(struct conn *c)
{
    if (c->parked)
        unpark(c);
    if (c->list)
        unlink_conn(c);
}

enum ran { RAN_ALL, RAN_PARKED, RAN_CLOSED };

/* Keeps the requests from `next` on for later. */
static enum ran
park(struct conn *c, const struct resp_request *request, int next, int end)
{
    struct worker *w = c->worker;
    if (!c->parked) {
        c->parked = malloc(sizeof *c->parked);
        if (!c->parked) {
            conn_close(c);
            return RAN_CLOSED;
        }
        for (int i = next; i < end; i++)
            c->parked->request[i - next] = request[i];
        c->parked->count = end - next;
        next = 0;
        c->next_parked = w->parked;
        w->parked = c;
        ev_timer_again(w->loop, &w->retry);
    }
    c->parked->next = next;
    return RAN_PARKED;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

/* A reply that CLIENT REPLY has switched off is made all the same and taken back. */
static void
drop_reply(struct conn *c, size_t mark)
{
    struct session *s = &c->session;
    if (s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP))
        buf_truncate(&c->out, mark);
    s->flags &= ~(unsigned)SESSION_REPLY_SKIP;
    if (s->flags & SESSION_REPLY_SKIP_NEXT)
        s->flags = (s->flags & ~(unsigned)SESSION_REPLY_SKIP_NEXT) | SESSION_REPLY_SKIP;
}

/* Runs requests first .. end-1. */
static enum ran
run(struct conn *c, const struct resp_request *request, int first, int end)
{
    struct engine *e = &c->worker->engine;
    struct session *s = &c->session;
    for (int i = first; i < end; i++) {
        struct resp_out out = {.buf = &c->out, .version = s->resp};
        if (clients_killed(s)) {
            conn_close(c);
            return RAN_CLOSED;
        }
        size_t mark = c->out.len;
        enum exec_result r = exec_run(e, s, request[i].argc, request[i].argv, &out);
        if (r == EXEC_AGAIN)
            return park(c, request, i, end);
        if (r == EXEC_CLOSE || (s->flags & SESSION_CLOSE_NOW)) {
            conn_close(c);
            return RAN_CLOSED;
        }
        if (s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP | SESSION_REPLY_SKIP_NEXT))
            drop_reply(c, mark);
        if (s->flags & SESSION_MONITOR) {
            monitors_add(c);
            monitors_fill(c);
        }
        if (s->flags & SESSION_CLOSE_AFTER_REPLY) {
            c->closing = true;
            break;
        }
        if (buf_pending(&c->out) > WRITE_EARLY) {
            account_rest(e);
            if (!conn_flush(c))
                return RAN_CLOSED;
        }
    }
    if (c->parked)
        unpark(c);
    return RAN_ALL;
}

/* A protocol error is told and ends the connection. */
static void
refuse(struct conn *c)
{
    char text[64];
    struct resp_out out = {.buf = &c->out, .version = c->session.resp};
    resp_parser_error(&c->parser, text);
    resp_out_errorf(&out, "ERR %s", text);
    c->closing = true;
}

/* Takes the next ready connection's requests into the batch. A client that has yet to say AUTH is parsed one by one,
 * because that changes its limits. */
static void
take_part(struct worker *w, struct batch *b)
{
    struct conn *c = w->ready.first;
    struct part *p = &b->part[b->parts++];
    const struct resp_limits limits = {.bulk_max = config_number(&w->engine, PARAM_PROTO_MAX_BULK_LEN),
        .unauthenticated = cmd_auth_is_missing(&w->engine, &c->session)};
    int room = limits.unauthenticated ? 1 : TURN_BATCH - b->requests;
    *p = (struct part){.conn = c, .first = b->requests, .end = b->requests, .got = RESP_PARSE_REQUEST};
    unlink_conn(c);
    while (room-- > 0 && (p->got = resp_parse(&c->parser, &c->in, &limits, &b->request[p->end])) == RESP_PARSE_REQUEST)
        p->end++;
    b->requests = p->end;
    exec_ahead_add(&w->engine, &c->session, b->request + p->first, p->end - p->first);
}

/* The part has run: the connection is done for now, or goes on with its next requests. */
static void
finish_part(struct worker *w, const struct part *p)
{
    struct conn *c = p->conn;
    resp_parser_release(&c->parser, &c->in);
    if (p->got == RESP_PARSE_BAD && !c->closing)
        refuse(c);
    if (p->got == RESP_PARSE_NOMEM && p->first == p->end) {
        conn_close(c);
        return;
    }
    if (p->got == RESP_PARSE_BAD || p->got == RESP_PARSE_MORE || c->closing) {
        link_last(&w->answered, c);
    } else if (c->turns < TURN_CONN_BATCHES_MAX) {
        c->turns++;
        link_first(&w->ready, c); /* its replies leave together */
    } else {
        account_rest(&w->engine);
        if (conn_flush(c))
            turn_ready(c);
    }
}

static void
run_batch(struct worker *w, struct batch *b)
{
    for (int i = 0; i < b->parts; i++) {
        struct part *p = &b->part[i];
        switch (run(p->conn, b->request, p->first, p->end)) {
        case RAN_CLOSED:
            break;
        case RAN_PARKED:
            link_last(&w->answered, p->conn);
            break;
        case RAN_ALL:
            finish_part(w, p);
        }
    }
}

/* ---- the turn --------------------------------------------------------------------------------------------------- */

static void
retry(struct conn *c)
{
    struct turn_parked *p = c->parked;
    if (run(c, p->request, p->next, p->count) != RAN_ALL)
        return;
    resp_parser_release(&c->parser, &c->in);
    if (c->closing)
        conn_flush(c);
    else
        turn_ready(c);
}

static void
on_retry(struct ev_loop *loop, ev_timer *t, int events)
{
    struct worker *w = ev_userdata(loop);
    struct conn *c = w->parked;
    (void)events;
    exec_ahead_begin(&w->engine);
    w->engine.exec.patience_us = 0;
    while (c) {
        struct conn *next = c->next_parked;
        retry(c);
        account_rest(&w->engine);
        c = next;
    }
    if (!w->parked)
        ev_timer_stop(loop, t);
}

/* Its being started is what keeps the loop from sleeping. */
static void
on_more(struct ev_loop *loop, ev_idle *i, int events)
{
    (void)loop;
    (void)i;
    (void)events;
}

void
turn_start(struct worker *w)
{
    ev_timer_init(&w->retry, on_retry, 0., RETRY_S);
    ev_idle_init(&w->more, on_more);
}

void
turn_run(struct worker *w)
{
    struct batch b;
    w->engine.exec.patience_us = PATIENCE_US;
    for (unsigned batches = 0; w->ready.first && batches < TURN_BATCHES_MAX; batches++) {
        b.requests = b.parts = 0;
        exec_ahead_begin(&w->engine);
        while (w->ready.first && b.requests < TURN_BATCH && b.parts < TURN_BATCH)
            take_part(w, &b);
        exec_ahead_prefetch(&w->engine);
        run_batch(w, &b);
    }
    engine_publish(&w->engine); /* who reads the replies finds them counted */
    while (w->answered.first) {
        struct conn *c = w->answered.first;
        unlink_conn(c);
        conn_flush(c);
    }
    if (w->ready.first)
        ev_idle_start(w->loop, &w->more);
    else
        ev_idle_stop(w->loop, &w->more);
}
