/* bench_main.c - kvstash-benchmark: puts a server of the Redis protocol under load and measures it.
 *
 * Runs the tests of the list one after another; with --against each of them in turn on two servers, so that whatever else
 * happens on the machine meets both. Process: kvstash-benchmark, one thread. Ends with 0; 1 if a run failed or a server
 * answered errors; 2 if the command line is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench_load.h"
#include "cli/bench_options.h"
#include "cli/bench_report.h"
#include "cli/link.h"

#define TESTS_MAX 32u

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct server {
    struct link_address address;
    char name[256];
    pid_t pid; /* whose processes are measured; 0: not on this machine */
};

struct test_name {
    const char *text;
    size_t len;
};

struct bench {
    struct bench_options options;
    struct server server[2];
    unsigned servers;
    struct test_name test[TESTS_MAX];
    unsigned tests;
    char second_host[256];
    struct bench_result result;
    bool errors; /* some reply was an error */
};

static int
usage(const char *error)
{
    fprintf(stderr, "kvstash-benchmark: %s\n", error);
    return EXIT_USAGE;
}

/* ---- what to do --------------------------------------------------------------------------------- */

static bool
add_test(struct bench *b, const char *text, size_t len, char *error)
{
    if (!bench_test_exists(text, len) || b->tests == TESTS_MAX) {
        snprintf(error, FLAG_ERROR_MAX, "--test: '%.*s' is %s; see --help", (int)(len < 60 ? len : 60), text,
                 b->tests == TESTS_MAX ? "one too many" : "no test");
        return false;
    }
    b->test[b->tests++] = (struct test_name){ text, len };
    return true;
}

static bool
parse_tests(struct bench *b, char *error)
{
    bool hashes_only = true;
    if (b->options.fill)
        b->tests = 1; /* which of the two, is told by the others */
    for (const char *at = b->options.tests; *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (!add_test(b, at, len, error))
            return false;
        hashes_only = hashes_only && at[0] == 'h';
        at += len + (at[len] == ',' ? 1 : 0);
    }
    if (b->options.fill)
        b->test[0] = hashes_only ? (struct test_name){ "hfill", 5 } : (struct test_name){ "fill", 4 };
    return true;
}

static struct link_address
first_address(const struct bench_options *o)
{
    return (struct link_address){ .host = o->host,
                                  .port = o->port,
                                  .path = o->path,
                                  .user = o->user,
                                  .password = o->password,
                                  .database = o->database,
                                  .resp = 2 };
}

/* "host:port" or a path. */
static bool
parse_against(struct bench *b, char *error)
{
    const char *text = b->options.against;
    struct link_address *a = &b->server[1].address;
    *a = b->server[0].address;
    a->path = NULL;
    if (text[0] == '/' || text[0] == '.') {
        a->path = text;
        return true;
    }
    const char *colon = strrchr(text, ':');
    char *end;
    long port = colon != NULL ? strtol(colon + 1, &end, 10) : 0;
    if (colon == NULL || *end != '\0' || port < 1 || port > 65535 || (size_t)(colon - text) >= sizeof b->second_host) {
        snprintf(error, FLAG_ERROR_MAX, "--against is '%.60s': must be host:port, or the path of a socket", text);
        return false;
    }
    memcpy(b->second_host, text, (size_t)(colon - text));
    a->host = b->second_host;
    a->port = port;
    return true;
}

/* ---- servers ------------------------------------------------------------------------------------ */

/* process_id out of INFO; 0 if it is not there. */
static pid_t
pid_in_info(const struct resp_value *info)
{
    const char *at = info->text != NULL ? strstr(info->text, "process_id:") : NULL;
    return at != NULL ? (pid_t)strtol(at + strlen("process_id:"), NULL, 10) : 0;
}

/* Asks the server who it is. Its processor time is measured if it runs on this machine. */
static bool
meet(struct server *s)
{
    static const struct resp_arg info[] = { { { "INFO" }, 4 }, { { "server" }, 6 } };
    struct link link;
    struct bench_cpu cpu;
    link_name(&s->address, s->name, sizeof s->name);
    bool ok = link_open(&link, &s->address);
    struct resp_value *reply = ok ? link_command(&link, 2, info) : NULL;
    if (reply == NULL)
        fprintf(stderr, "kvstash-benchmark: %s\n", link.error);
    else if (link_is_local(&s->address))
        s->pid = pid_in_info(reply);
    if (s->pid > 0 && !bench_cpu_read(&cpu, s->pid))
        s->pid = 0;
    ok = reply != NULL;
    resp_value_destroy(reply);
    link_close(&link);
    return ok;
}

/* ---- runs --------------------------------------------------------------------------------------- */

static void
show_progress(void *arg, uint64_t replies, double seconds)
{
    const struct test_name *t = arg;
    fprintf(stderr, "\r%.*s: %.1f s, %llu commands, %.0f/s   ", (int)t->len, t->text, seconds, (unsigned long long)replies,
            (double)replies / seconds);
}

static bool
run_one(struct bench *b, const struct server *s, struct test_name *t)
{
    bool show = isatty(STDERR_FILENO) && !b->options.json;
    bool ok = bench_load_run(&s->address, t->text, t->len, &b->options, s->pid, show ? show_progress : NULL, t, &b->result);
    if (show)
        fputs("\r\033[K", stderr);
    if (!ok)
        fprintf(stderr, "kvstash-benchmark: %.*s on %s: %s\n", (int)t->len, t->text, s->name, b->result.error);
    b->errors |= b->result.count.errors > 0;
    return ok;
}

static struct bench_subject
subject(const struct bench *b, const struct server *s, const struct test_name *t)
{
    return (struct bench_subject){ .test = t->text, .test_len = t->len, .server = s->name, .options = &b->options };
}

static bool
run_single(struct bench *b, struct test_name *t)
{
    if (!run_one(b, &b->server[0], t))
        return false;
    struct bench_subject s = subject(b, &b->server[0], t);
    bench_report_result(&s, &b->result);
    return true;
}

static bool
run_turns(struct bench *b, struct test_name *t, unsigned rounds, struct bench_figures *figures)
{
    for (unsigned i = 0; i < 2 * rounds; i++) {
        const struct server *server = &b->server[i % 2];
        if (!run_one(b, server, t))
            return false;
        struct bench_subject s = subject(b, server, t);
        bench_report_turn(&s, &b->result, (int)(i / 2 + 1));
        figures[(i % 2) * rounds + i / 2] = bench_report_figures(&b->result);
    }
    return true;
}

/* A fill is done once on each: a second one would find the keys there. */
static bool
run_pair(struct bench *b, struct test_name *t)
{
    unsigned rounds = bench_test_is_fill(t->text, t->len) ? 1 : (unsigned)b->options.rounds;
    struct bench_figures *figures = calloc(2 * rounds, sizeof *figures);
    if (figures == NULL) {
        fprintf(stderr, "kvstash-benchmark: out of memory\n");
        return false;
    }
    bool ok = run_turns(b, t, rounds, figures);
    if (ok) {
        struct bench_subject s = subject(b, &b->server[0], t);
        bench_report_pair(&s, b->server[1].name, figures, figures + rounds, rounds);
    }
    free(figures);
    return ok;
}

static int
run_all(struct bench *b)
{
    for (unsigned i = 0; i < b->servers; i++)
        if (!meet(&b->server[i]))
            return EXIT_FAILED;
    for (unsigned i = 0; i < b->tests; i++)
        if (!(b->servers == 2 ? run_pair(b, &b->test[i]) : run_single(b, &b->test[i])))
            return EXIT_FAILED;
    return b->errors ? EXIT_FAILED : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    static struct bench b;
    char error[FLAG_ERROR_MAX];
    int operand = flag_parse(&bench_flags, &b.options, argc, argv, error);
    if (operand < 0)
        return usage(error);
    if (b.options.help) {
        flag_print_help(&bench_flags, stdout);
        return EXIT_SUCCESS;
    }
    if (b.options.version) {
        puts("kvstash-benchmark " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    if (operand < argc)
        return usage("takes options only; see --help");
    b.server[0].address = first_address(&b.options);
    b.servers = b.options.against != NULL ? 2 : 1;
    if (!parse_tests(&b, error) || (b.servers == 2 && !parse_against(&b, error)))
        return usage(error);
    return run_all(&b);
}
