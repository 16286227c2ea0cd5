/* cmd_latency.c - LATENCY: delays by event, and how long commands took.
 *
 * The forms are Redis's; the report of DOCTOR is worded here.
 *
 * Process: workers. Locks: the latency table's, inside command/latency.c; histograms are summed as they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "command/cmd.h"
#include "command/cmd_rows.h"
#include "command/command_table.h"
#include "command/control.h"

#define GRAPH_COLUMNS 80u
#define GRAPH_ROWS 4u

/* ---- events ----------------------------------------------------------------------------------------------------------- */

/* A copy of the table; NULL: an error was replied. */
static struct latency_sh *
copy_table(struct cmd *c)
{
    struct latency_sh *copy = malloc(sizeof *copy);
    if (copy)
        latency_copy(c->engine, copy);
    else
        cmd_error(c, "ERR no private memory for the events");
    return copy;
}

static const struct latency_event_sh *
find_event(const struct latency_sh *l, const struct cmd *c, int arg)
{
    for (unsigned i = 0; i < LATENCY_EVENTS; i++) {
        const char *name = l->event[i].name;
        if (name[0] && strlen(name) == cmd_arg_len(c, arg) && memcmp(name, cmd_arg(c, arg), strlen(name)) == 0)
            return &l->event[i];
    }
    return NULL;
}

/* The i-th sample, the oldest first; NULL: not so many. */
static const struct latency_sample *
sample_at(const struct latency_event_sh *e, unsigned i)
{
    const struct latency_sample *s = &e->sample[(e->next + i) % LATENCY_SAMPLES];
    return s->time_s ? s : NULL;
}

void
cmd_latency_latest(struct cmd *c)
{
    struct latency_sh *l = copy_table(c);
    size_t n = 0;
    if (!l)
        return;
    struct resp_deferred place = resp_out_deferred_begin(c->out);
    for (unsigned i = 0; i < LATENCY_EVENTS; i++) {
        const struct latency_event_sh *e = &l->event[i];
        const struct latency_sample *last = sample_at(e, LATENCY_SAMPLES - 1);
        if (!last)
            continue;
        resp_out_array(c->out, 4);
        resp_out_bulk_str(c->out, e->name);
        resp_out_int(c->out, last->time_s);
        resp_out_int(c->out, last->ms);
        resp_out_int(c->out, e->max_ms);
        n++;
    }
    resp_out_deferred_array(c->out, place, n);
    free(l);
}

void
cmd_latency_history(struct cmd *c)
{
    struct latency_sh *l = copy_table(c);
    size_t n = 0;
    if (!l)
        return;
    const struct latency_event_sh *e = find_event(l, c, 2);
    struct resp_deferred place = resp_out_deferred_begin(c->out);
    for (unsigned i = 0; e && i < LATENCY_SAMPLES; i++) {
        const struct latency_sample *s = sample_at(e, i);
        if (!s)
            continue;
        resp_out_array(c->out, 2);
        resp_out_int(c->out, s->time_s);
        resp_out_int(c->out, s->ms);
        n++;
    }
    resp_out_deferred_array(c->out, place, n);
    free(l);
}

void
cmd_latency_reset(struct cmd *c)
{
    int64_t n = 0;
    for (int i = 2; i < c->argc; i++) {
        char name[LATENCY_NAME_MAX];
        if (cmd_arg_len(c, i) >= sizeof name)
            continue;
        memcpy(name, cmd_arg(c, i), cmd_arg_len(c, i));
        name[cmd_arg_len(c, i)] = '\0';
        n += latency_reset(c->engine, name);
    }
    if (c->argc == 2)
        n = latency_reset(c->engine, NULL);
    resp_out_int(c->out, n);
}

/* ---- GRAPH -------------------------------------------------------------------------------------------------------------- */

/* How long ago, with one letter for the unit. */
static void
age_text(char text[16], uint32_t seconds)
{
    static const struct {
        uint32_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t u = 0;
    while (u < 3 && seconds < units[u].seconds)
        u++;
    snprintf(text, 16, "%u%c", seconds / units[u].seconds, units[u].letter);
}

/* Rows of columns, each with a mark at the height of its sample; below, the age of each, written downwards. */
static void
draw(struct buf *text, const struct latency_sample *s[GRAPH_COLUMNS], unsigned n, uint32_t low, uint32_t high)
{
    static const char levels[] = "_o#";
    uint32_t now = (uint32_t)time(NULL);
    for (unsigned row = GRAPH_ROWS; row-- > 0;) {
        for (unsigned i = 0; i < n; i++) {
            unsigned steps = GRAPH_ROWS * 3;
            unsigned step = high > low ? (unsigned)((uint64_t)(s[i]->ms - low) * (steps - 1) / (high - low)) : 0;
            buf_printf(text, "%c", step / 3 == row ? levels[step % 3] : step / 3 > row ? '|' : ' ');
        }
        buf_append_str(text, "\n");
    }
    for (unsigned line = 0, more = 1; more && line < 12; line++) {
        more = 0;
        buf_append_str(text, line == 0 ? "\n" : "");
        for (unsigned i = 0; i < n; i++) {
            char age[16];
            age_text(age, now > s[i]->time_s ? now - s[i]->time_s : 0);
            buf_printf(text, "%c", line < strlen(age) ? age[line] : ' ');
            more |= line + 1 < strlen(age);
        }
        buf_append_str(text, "\n");
    }
}

static void
reply_graph(struct cmd *c, const struct latency_event_sh *e)
{
    const struct latency_sample *s[GRAPH_COLUMNS];
    uint32_t low = UINT32_MAX, high = 0;
    unsigned n = 0;
    struct buf text;
    for (unsigned i = LATENCY_SAMPLES - GRAPH_COLUMNS; i < LATENCY_SAMPLES; i++) {
        if (!sample_at(e, i))
            continue;
        s[n++] = sample_at(e, i);
        low = s[n - 1]->ms < low ? s[n - 1]->ms : low;
        high = s[n - 1]->ms > high ? s[n - 1]->ms : high;
    }
    buf_init(&text);
    buf_printf(&text, "%s - high %u ms, low %u ms (all time high %u ms)\n", e->name, high, low, e->max_ms);
    for (unsigned i = 0; i < GRAPH_COLUMNS; i++)
        buf_append_str(&text, "-");
    buf_append_str(&text, "\n");
    draw(&text, s, n, low, high);
    if (buf_failed(&text))
        cmd_error(c, "ERR no private memory for the graph");
    else
        resp_out_verbatim(c->out, "txt", buf_head(&text), buf_pending(&text));
    buf_destroy(&text);
}

void
cmd_latency_graph(struct cmd *c)
{
    struct latency_sh *l = copy_table(c);
    if (!l)
        return;
    const struct latency_event_sh *e = find_event(l, c, 2);
    if (e && sample_at(e, LATENCY_SAMPLES - 1))
        reply_graph(c, e);
    else
        cmd_error(c, "ERR No samples available for event '%.*s'", (int)cmd_arg_len(c, 2), cmd_arg(c, 2));
    free(l);
}

/* ---- DOCTOR --------------------------------------------------------------------------------------------------------------- */

static void
describe(struct buf *text, const struct latency_event_sh *e)
{
    uint64_t sum = 0;
    uint32_t first = 0, last = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < LATENCY_SAMPLES; i++) {
        const struct latency_sample *s = sample_at(e, i);
        if (!s)
            continue;
        first = first ? first : s->time_s;
        last = s->time_s;
        sum += s->ms;
        n++;
    }
    if (n > 0)
        buf_printf(text, "- %s: %u delays in %u s, %lu ms on average, %u ms at worst.\n", e->name, n, last - first + 1,
            (unsigned long)(sum / n), e->max_ms);
}

void
cmd_latency_doctor(struct cmd *c)
{
    struct latency_sh *l = copy_table(c);
    struct buf text;
    if (!l)
        return;
    buf_init(&text);
    if (config_number(c->engine, PARAM_LATENCY_MONITOR_THRESHOLD) == 0) {
        buf_append_str(&text, "Delays are not watched: latency-monitor-threshold is 0. To have those of 100 ms and more kept, say "
                              "CONFIG SET latency-monitor-threshold 100.\n");
    } else {
        for (unsigned i = 0; i < LATENCY_EVENTS; i++)
            describe(&text, &l->event[i]);
        if (buf_pending(&text) == 0)
            buf_append_str(&text, "No delay reached latency-monitor-threshold.\n");
        else
            buf_append_str(&text, "command, fast-command: see SLOWLOG GET for what was run; commands over many keys or large values "
                                  "take longest. expire-cycle: many keys expired at once.\n");
    }
    if (buf_failed(&text))
        cmd_error(c, "ERR no private memory for the report");
    else
        resp_out_verbatim(c->out, "txt", buf_head(&text), buf_pending(&text));
    buf_destroy(&text);
    free(l);
}

/* ---- HISTOGRAM -------------------------------------------------------------------------------------------------------------- */

#define FIRST_STEP_NS 1024u
#define STEPS 24u /* powers of two from there on */

/* The time at which Redis's histogram, which keeps two digits, shows a power of two. */
static int64_t
step_us(unsigned step)
{
    uint64_t ns = (uint64_t)FIRST_STEP_NS << step;
    return (int64_t)((ns + ns / 128 - 1) / 1000);
}

/* The command's row in the map, if it was ever called. */
static size_t
reply_histogram(struct cmd *c, unsigned id)
{
    uint64_t bucket[STATS_BUCKETS], n = stats_histogram(c->engine, id, bucket), sum = 0, before = 0;
    unsigned b = 0;
    size_t shown = 0;
    if (n == 0)
        return 0;
    resp_out_bulk_str(c->out, stats_row(id)->name);
    resp_out_map(c->out, 2);
    resp_out_bulk_str(c->out, "calls");
    resp_out_int(c->out, (int64_t)n);
    resp_out_bulk_str(c->out, "histogram_usec");
    struct resp_deferred place = resp_out_deferred_begin(c->out);
    for (unsigned step = 0; step < STEPS; step++, before = sum) {
        while (b < STATS_BUCKETS && (stats_bucket_top(b) < (uint64_t)FIRST_STEP_NS << step || step + 1 == STEPS))
            sum += bucket[b++];
        if (sum == before)
            continue;
        resp_out_int(c->out, step_us(step));
        resp_out_int(c->out, (int64_t)sum);
        shown++;
    }
    resp_out_deferred_map(c->out, place, shown);
    return 1;
}

/* A command, or all subcommands of a container. */
static size_t
reply_histograms_of(struct cmd *c, const struct command_row *row)
{
    size_t n = row->run ? reply_histogram(c, stats_id(row)) : 0;
    for (const struct command_row *sub = row->subs; sub && sub->name; sub++)
        n += reply_histogram(c, stats_id(sub));
    return n;
}

void
cmd_latency_histogram(struct cmd *c)
{
    size_t n = 0;
    struct resp_deferred place = resp_out_deferred_begin(c->out);
    for (int i = 2; i < c->argc; i++) {
        const struct command_row *row = command_find_full(cmd_arg(c, i), cmd_arg_len(c, i));
        n += row ? reply_histograms_of(c, row) : 0;
    }
    for (unsigned id = 0; c->argc == 2 && id < stats_count(); id++)
        n += reply_histogram(c, id);
    resp_out_deferred_map(c->out, place, n);
}
