/* bench_report.c - shows results (see bench_report.h).
 *
 * A metric is a row: its name, its label, its digits, how it is computed from a result. The full text, a JSON line and
 * the pair's table are three walks over the same rows. A pair is compared by medians of rounds, which one disturbed round does
 * not move. Not its job: to measure (bench_load.c, bench_cpu.c).
 */
#include "cli/bench_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"

#define BARS 24 /* up to 50 s */

/* ---- metrics ------------------------------------------------------------------------------------ */

static double
per_op(const struct bench_result *r, double us)
{
    return r->count.replies > 0 ? us / (double)r->count.replies : NAN;
}

/* A part of the server's processor time: all of it, in the proportion that the ticks tell. */
static double
part_per_op(const struct bench_result *r, uint64_t ticked_us)
{
    uint64_t both = r->cpu.user_us + r->cpu.system_us;
    return r->has_cpu && both > 0 ? per_op(r, (double)r->cpu.all_ns / 1e3 * (double)ticked_us / (double)both) : NAN;
}

static double
quantile_us(const struct bench_result *r, double q)
{
    return (double)bench_histogram_quantile(&r->latency, q) / 1e3;
}

static double
of_rate(const struct bench_result *r)
{
    return r->seconds > 0 ? (double)r->count.replies / r->seconds : NAN;
}

static double
of_cpu(const struct bench_result *r)
{
    return r->has_cpu ? per_op(r, (double)r->cpu.all_ns / 1e3) : NAN;
}

static double
of_user(const struct bench_result *r)
{
    return part_per_op(r, r->cpu.user_us);
}

static double
of_system(const struct bench_result *r)
{
    return part_per_op(r, r->cpu.system_us);
}

static double
of_generator(const struct bench_result *r)
{
    return per_op(r, (double)r->generator_us);
}

static double
of_p50(const struct bench_result *r)
{
    return quantile_us(r, 0.5);
}

static double
of_p90(const struct bench_result *r)
{
    return quantile_us(r, 0.9);
}

static double
of_p99(const struct bench_result *r)
{
    return quantile_us(r, 0.99);
}

static double
of_p999(const struct bench_result *r)
{
    return quantile_us(r, 0.999);
}

static double
of_p9999(const struct bench_result *r)
{
    return quantile_us(r, 0.9999);
}

static double
of_max(const struct bench_result *r)
{
    return (double)r->latency.max / 1e3;
}

static const struct metric {
    const char *name;  /* in JSON */
    const char *label; /* for the reader */
    int digits;
    double (*of)(const struct bench_result *r);
} metrics[BENCH_METRICS] = {
    { "ops_per_s", "commands/s", 0, of_rate },
    { "cpu_us", "server CPU us/command", 3, of_cpu },
    { "cpu_user_us", "  user", 3, of_user },
    { "cpu_system_us", "  system", 3, of_system },
    { "generator_us", "generator CPU us/command", 3, of_generator },
    { "p50_us", "latency p50 us", 1, of_p50 },
    { "p90_us", "latency p90 us", 1, of_p90 },
    { "p99_us", "latency p99 us", 1, of_p99 },
    { "p999_us", "latency p99.9 us", 1, of_p999 },
    { "p9999_us", "latency p99.99 us", 1, of_p9999 },
    { "max_us", "latency max us", 1, of_max },
};

struct bench_figures
bench_report_figures(const struct bench_result *r)
{
    struct bench_figures f;
    for (int i = 0; i < BENCH_METRICS; i++)
        f.value[i] = metrics[i].of(r);
    return f;
}

/* ---- JSON --------------------------------------------------------------------------------------- */

static void
json_name(struct buf *b, const char *name)
{
    buf_append_str(b, b->len == 0 || b->data[b->len - 1] != '{' ? ", " : "");
    json_string(b, name, strlen(name));
    buf_append_str(b, ": ");
}

static void
json_field(struct buf *b, const char *name, double value)
{
    json_name(b, name);
    if (isfinite(value))
        buf_printf(b, "%.10g", value);
    else
        buf_append_str(b, "null"); /* not measured, or a ratio to nothing */
}

static void
json_subject(struct buf *b, const struct bench_subject *s)
{
    const struct bench_options *o = s->options;
    buf_append_str(b, "{");
    json_name(b, "test");
    json_string(b, s->test, s->test_len);
    json_name(b, "server");
    json_string(b, s->server, strlen(s->server));
    json_field(b, "clients", (double)o->connections);
    json_field(b, "pipeline", (double)o->pipeline);
    json_field(b, "data", (double)o->value_bytes);
    json_field(b, "keys", (double)o->keys);
    json_field(b, "rate", o->rate);
}

static void
json_end(struct buf *b)
{
    buf_append_str(b, "}\n");
    fwrite(buf_head(b), 1, buf_pending(b), stdout);
    fflush(stdout);
    buf_destroy(b);
}

static void
json_result(const struct bench_subject *s, const struct bench_result *r, int round)
{
    struct buf b;
    buf_init(&b);
    json_subject(&b, s);
    if (round > 0)
        json_field(&b, "round", round);
    json_field(&b, "seconds", r->seconds);
    json_field(&b, "commands", (double)r->count.replies);
    json_field(&b, "errors", (double)r->count.errors);
    json_field(&b, "nulls", (double)r->count.nulls);
    json_field(&b, "processes", r->has_cpu ? (double)r->cpu.processes : NAN);
    for (int i = 0; i < BENCH_METRICS; i++)
        json_field(&b, metrics[i].name, metrics[i].of(r));
    json_end(&b);
}

/* ---- text --------------------------------------------------------------------------------------- */

/* An edge with its unit. */
static void
time_text(char *text, size_t size, uint64_t ns)
{
    static const char *const unit[] = { "ns", "us", "ms", "s" };
    double v = (double)ns;
    int u = 0;
    for (; v >= 1000 && u < 3; u++)
        v /= 1000;
    snprintf(text, size, "%.0f %s", v, unit[u]);
}

/* The edges of the bars: 0, then 1, 2, 5, 10 ... us. */
static uint64_t
edge(int i)
{
    static const uint64_t step[] = { 1, 2, 5 };
    uint64_t ns = 1000;
    for (int k = 1; k < i; k += 3)
        ns *= k + 3 <= i ? 10 : 1;
    return i == 0 ? 0 : ns * step[(i - 1) % 3];
}

static void
print_bars(const struct bench_histogram *h)
{
    static const char bar[] = "##################################################";
    uint64_t most = 0;
    for (int i = 0; i < BARS; i++) {
        uint64_t n = bench_histogram_between(h, edge(i), edge(i + 1));
        most = n > most ? n : most;
    }
    for (int i = 0; i < BARS; i++) {
        uint64_t n = bench_histogram_between(h, edge(i), edge(i + 1));
        char low[24], high[24];
        if (n == 0)
            continue;
        time_text(low, sizeof low, edge(i));
        time_text(high, sizeof high, edge(i + 1));
        printf("  %6s to %-6s %8.4f %%  %.*s\n", low, high, 100.0 * (double)n / (double)h->count,
               (int)((double)n * (double)(sizeof bar - 1) / (double)most + 0.5), bar);
    }
}

static void
print_heading(const struct bench_subject *s)
{
    const struct bench_options *o = s->options;
    printf("%.*s: %lld connections, pipeline %lld, %lld-byte values, %lld keys", (int)s->test_len, s->test,
           (long long)o->connections, (long long)o->pipeline, (long long)o->value_bytes, o->hot_key ? 1 : (long long)o->keys);
    if (o->rate > 0)
        printf(", %.0f commands/s asked for", o->rate);
    putchar('\n');
}

static void
print_warnings(const struct bench_result *r)
{
    if (r->count.errors > 0)
        printf("  %llu error replies; the first: %s\n", (unsigned long long)r->count.errors, r->count.first_error);
    if (r->count.nulls > 0)
        printf("  %llu of the replies were null (keys that are not there: see --fill)\n", (unsigned long long)r->count.nulls);
}

void
bench_report_result(const struct bench_subject *s, const struct bench_result *r)
{
    if (s->options->json) {
        json_result(s, r, 0);
        return;
    }
    print_heading(s);
    printf("  %llu commands in %.2f s on %s\n", (unsigned long long)r->count.replies, r->seconds, s->server);
    for (int i = 0; i < BENCH_METRICS; i++) {
        double v = metrics[i].of(r);
        if (!isnan(v))
            printf("  %-26s %12.*f\n", metrics[i].label, metrics[i].digits, v);
    }
    if (r->has_cpu)
        printf("  %-26s %12u\n", "server processes", r->cpu.processes);
    print_warnings(r);
    print_bars(&r->latency);
    putchar('\n');
    fflush(stdout);
}

void
bench_report_turn(const struct bench_subject *s, const struct bench_result *r, int round)
{
    if (s->options->json) {
        json_result(s, r, round);
        return;
    }
    printf("  round %d %-22s %10.0f commands/s %8.3f us CPU/command   p50 %.1f  p99 %.1f  max %.1f us\n", round, s->server,
           of_rate(r), of_cpu(r), of_p50(r), of_p99(r), of_max(r));
    print_warnings(r);
    fflush(stdout);
}

/* ---- pairs -------------------------------------------------------------------------------------- */

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
median(double *values, unsigned n)
{
    qsort(values, n, sizeof *values, compare_doubles);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Medians of one metric: of the first, of the second, of the ratios round by round. */
struct pair {
    double first, second, ratio;
};

static struct pair
pair_of(int metric, const struct bench_figures *a, const struct bench_figures *b, unsigned rounds)
{
    double first[rounds], second[rounds], ratio[rounds];
    for (unsigned i = 0; i < rounds; i++) {
        first[i] = a[i].value[metric];
        second[i] = b[i].value[metric];
        ratio[i] = first[i] / second[i];
    }
    return (struct pair){ median(first, rounds), median(second, rounds), median(ratio, rounds) };
}

static void
json_pair(const struct bench_subject *s, const char *second, const struct pair *pairs, unsigned rounds)
{
    struct buf b;
    buf_init(&b);
    json_subject(&b, s);
    json_name(&b, "against");
    json_string(&b, second, strlen(second));
    json_field(&b, "rounds", rounds);
    for (int i = 0; i < BENCH_METRICS; i++) {
        json_name(&b, metrics[i].name);
        buf_append_str(&b, "{");
        json_field(&b, "first", pairs[i].first);
        json_field(&b, "second", pairs[i].second);
        json_field(&b, "ratio", pairs[i].ratio);
        buf_append_str(&b, "}");
    }
    json_end(&b);
}

void
bench_report_pair(const struct bench_subject *s, const char *second, const struct bench_figures *first_runs,
                  const struct bench_figures *second_runs, unsigned rounds)
{
    struct pair pairs[BENCH_METRICS];
    for (int i = 0; i < BENCH_METRICS; i++)
        pairs[i] = pair_of(i, first_runs, second_runs, rounds);
    if (s->options->json) {
        json_pair(s, second, pairs, rounds);
        return;
    }
    print_heading(s);
    printf("  medians of %u rounds       %18s %18s      ratio\n", rounds, s->server, second);
    for (int i = 0; i < BENCH_METRICS; i++)
        if (!isnan(pairs[i].first) || !isnan(pairs[i].second))
            printf("  %-26s %18.*f %18.*f %10.3f\n", metrics[i].label, metrics[i].digits, pairs[i].first, metrics[i].digits,
                   pairs[i].second, pairs[i].ratio);
    putchar('\n');
    fflush(stdout);
}
