/* progress.c - how far a long piece of work is (see progress.h). */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define CALLS_PER_LOOK 64u
#define FIRST_US 500000          /* before that nothing is shown */
#define BAR_EVERY_US 200000
#define LINE_EVERY_US 5000000
#define BAR_CELLS 30

void
progress_bytes(char text[24], double bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    unsigned unit = 0;
    for (; bytes >= 1024 && unit < 6; unit++)
        bytes /= 1024;
    snprintf(text, 24, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static void
amount(char text[40], const struct progress *p, double number)
{
    char bytes[24];
    progress_bytes(bytes, number);
    if (p->unit == PROGRESS_BYTES)
        snprintf(text, 40, "%s", bytes);
    else
        snprintf(text, 40, "%.0f keys", number);
}

static void
put_bar(struct buf *to, double share)
{
    int full = (int)(share * BAR_CELLS);
    buf_append_str(to, "[");
    for (int i = 0; i < BAR_CELLS; i++)
        buf_append_str(to, i < full ? "#" : ".");
    buf_append_str(to, "] ");
}

static void
put_time(struct buf *to, double seconds)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        buf_printf(to, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        buf_printf(to, "%ld:%02ld", s / 60, s % 60);
}

void
progress_line(struct buf *to, const struct progress *p, uint64_t done, int64_t after_us, const char *extra)
{
    char text[40];
    double seconds = after_us > 0 ? (double)after_us / 1e6 : 1e-6, rate = (double)(done - p->from) / seconds;
    double share = p->total == 0 ? 0 : done >= p->total ? 1 : (double)done / (double)p->total;
    buf_printf(to, "%s ", p->what);
    if (p->total > 0 && p->terminal)
        put_bar(to, share);
    if (p->total > 0)
        buf_printf(to, "%.1f%% ", share * 100);
    amount(text, p, (double)done);
    buf_printf(to, "%s, ", text);
    amount(text, p, rate);
    buf_printf(to, "%s/s", text);
    if (p->total > done && rate > 0) {
        buf_append_str(to, ", ");
        put_time(to, (double)(p->total - done) / rate);
        buf_append_str(to, " left");
    }
    if (extra != NULL && *extra != '\0')
        buf_printf(to, ", %s", extra);
}

void
progress_begin(struct progress *p, const char *what, enum progress_unit unit, uint64_t from, uint64_t total, bool quiet)
{
    *p = (struct progress){ .what = what, .unit = unit, .from = from, .total = total, .quiet = quiet };
    p->terminal = isatty(STDERR_FILENO) == 1;
    p->begun_us = clock_ns() / 1000;
    p->next_us = p->begun_us + (p->terminal ? FIRST_US : LINE_EVERY_US);
}

void
progress_at(struct progress *p, uint64_t done, const char *extra)
{
    if (p->quiet || p->calls++ % CALLS_PER_LOOK != 0)
        return;
    int64_t now = clock_ns() / 1000;
    if (now < p->next_us)
        return;
    struct buf line;
    buf_init(&line);
    progress_line(&line, p, done, now - p->begun_us, extra);
    if (!buf_failed(&line))
        fprintf(stderr, p->terminal ? "\r\033[K%.*s" : "%.*s\n", (int)buf_pending(&line), buf_head(&line));
    fflush(stderr);
    buf_destroy(&line);
    p->shown = true;
    p->next_us = now + (p->terminal ? BAR_EVERY_US : LINE_EVERY_US);
}

void
progress_end(struct progress *p)
{
    if (p->shown && p->terminal)
        fputs("\r\033[K", stderr);
    p->shown = false;
}
