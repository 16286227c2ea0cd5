/* cli_lines.c - commands from standard input, one a line (see cli_lines.h).
 *
 * A line is split in place into words as resp_split_next does; the program's own words are a table. From a pipe, lines are sent
 * as they come and their replies shown in order, so a file runs at the speed of a pipeline, with its requests in flight bounded
 * by what one read brings. Fails: a line with unbalanced quotes is told and skipped; a lost server ends the program,
 * or on a terminal is connected to again by the next line.
 */
#include "cli/cli_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define READ_STEP 65536u
#define ARGS_FIRST 16
#define REPEATS_QUEUED 128 /* repetitions sent together */

enum outcome { LINE_DONE, LINE_QUIT, LINE_FAILED };

/* A line's words; grows. */
struct words {
    struct resp_arg *arg; /* owned */
    int count, cap;
};

/* ---- words of the program's own ----------------------------------------------------------------- */

static enum outcome
word_quit(void)
{
    return LINE_QUIT;
}

static enum outcome
word_clear(void)
{
    fputs("\033[H\033[2J", stdout);
    return LINE_DONE;
}

static enum outcome
word_help(void)
{
    puts("A line is a command for the server: words, \"with escapes like \\n or \\x00\" or 'as they are'.\n"
         "A number in front repeats it. COMMAND DOCS <name> describes a command.\n"
         "Here only: help, clear, quit, exit.");
    return LINE_DONE;
}

static const struct own_word {
    const char *name;
    enum outcome (*run)(void);
} own_words[] = {
    { "clear", word_clear },
    { "exit", word_quit },
    { "help", word_help },
    { "quit", word_quit },
};

static const struct own_word *
own_word(const struct resp_arg *a)
{
    for (size_t i = 0; i < sizeof own_words / sizeof own_words[0]; i++)
        if (strlen(own_words[i].name) == a->len && strncasecmp(own_words[i].name, a->data, a->len) == 0)
            return &own_words[i];
    return NULL;
}

/* ---- one line ----------------------------------------------------------------------------------- */

static bool
add_word(struct words *w, const struct resp_arg *arg)
{
    if (w->count == w->cap) {
        int cap = w->cap == 0 ? ARGS_FIRST : w->cap * 2;
        struct resp_arg *more = realloc(w->arg, (size_t)cap * sizeof *more);
        if (more == NULL)
            return false;
        w->arg = more;
        w->cap = cap;
    }
    w->arg[w->count++] = *arg;
    return true;
}

/* 1: split; -1: unbalanced quotes; 0: memory. The words point into the line. */
static int
split(struct words *w, char *line, char *end)
{
    struct resp_arg arg;
    int got;
    w->count = 0;
    while ((got = resp_split_next(&line, end, &arg)) == 1)
        if (!add_word(w, &arg))
            return 0;
    return got < 0 ? -1 : 1;
}

/* What must be shown before anything else is. */
static bool
settle(struct cli_talk *t)
{
    return t->asks == 0 || cli_talk_flush(t);
}

/* A whole word that is a number, in front of another word. */
static bool
is_repeat(const struct words *w, long long *times)
{
    char text[24], *end;
    if (w->count < 2 || w->arg[0].len >= sizeof text || w->arg[0].len == 0)
        return false;
    memcpy(text, w->arg[0].data, w->arg[0].len);
    text[w->arg[0].len] = '\0';
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return false;
    *times = v;
    return true;
}

static enum outcome
queue_repeated(struct cli_talk *t, int argc, const struct resp_arg *argv, long long times)
{
    for (long long i = 0; i < times; i++) {
        if (!cli_talk_queue(t, argc, argv))
            return LINE_FAILED;
        if ((cli_talk_is_endless(t) || t->asks >= REPEATS_QUEUED) && !cli_talk_flush(t))
            return LINE_FAILED;
    }
    return LINE_DONE;
}

static enum outcome
complain(struct cli_talk *t, const char *text)
{
    if (!settle(t))
        return LINE_FAILED;
    puts(text);
    return LINE_DONE;
}

/* Queues the line's command; what the program answers itself comes after the replies of what is queued. */
static enum outcome
take_line(struct cli_talk *t, struct words *w, char *line, char *end)
{
    long long times = 1;
    int got = split(w, line, end);
    if (got == 0) {
        fprintf(stderr, "kvstash-cli: out of memory\n");
        return LINE_FAILED;
    }
    if (got < 0)
        return complain(t, "Invalid argument(s)");
    if (w->count == 0)
        return LINE_DONE;
    int skip = is_repeat(w, &times) ? 1 : 0;
    if (times < 1)
        return complain(t, "A repeat count must be 1 or more.");
    const struct own_word *own = own_word(&w->arg[skip]);
    if (own != NULL)
        return settle(t) ? own->run() : LINE_FAILED;
    return cli_talk_connect(t) ? queue_repeated(t, w->count - skip, w->arg + skip, times) : LINE_FAILED;
}

/* ---- pipes -------------------------------------------------------------------------------------- */

/* The complete lines of in; at the end of the input also one without an end. */
static enum outcome
take_lines(struct cli_talk *t, struct words *w, struct buf *in, bool at_end)
{
    enum outcome outcome = LINE_DONE;
    while (outcome == LINE_DONE && buf_pending(in) > 0) {
        char *line = buf_head(in);
        char *lf = memchr(line, '\n', buf_pending(in));
        if (lf == NULL && !at_end)
            break;
        char *end = lf != NULL ? lf : line + buf_pending(in);
        outcome = take_line(t, w, line, end);
        buf_consume(in, (size_t)(end - line) + (lf != NULL ? 1 : 0));
    }
    return outcome != LINE_FAILED && !settle(t) ? LINE_FAILED : outcome;
}

int
cli_lines_from_pipe(struct cli_talk *t)
{
    struct words w = { 0 };
    struct buf in;
    enum outcome outcome = LINE_DONE;
    ssize_t n = 1;
    buf_init(&in);
    while (outcome == LINE_DONE && n != 0) {
        if (!buf_reserve(&in, READ_STEP)) {
            fprintf(stderr, "kvstash-cli: out of memory\n");
            outcome = LINE_FAILED;
            break;
        }
        n = read(STDIN_FILENO, in.data + in.len, READ_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            n = 0; /* nothing more will come: like the end */
        in.len += (size_t)n;
        outcome = take_lines(t, &w, &in, n == 0);
    }
    buf_destroy(&in);
    free(w.arg);
    return outcome == LINE_FAILED ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- terminals ---------------------------------------------------------------------------------- */

static void
print_prompt(const struct cli_talk *t)
{
    char name[256];
    link_name(&t->link.address, name, sizeof name);
    if (!t->connected)
        fputs("not connected> ", stdout);
    else if (t->link.address.database != 0)
        printf("%s[%lld]> ", name, (long long)t->link.address.database);
    else
        printf("%s> ", name);
    fflush(stdout);
}

int
cli_lines_from_terminal(struct cli_talk *t)
{
    struct words w = { 0 };
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    enum outcome outcome = LINE_DONE;
    cli_talk_connect(t);
    while (outcome != LINE_QUIT) {
        print_prompt(t);
        if ((n = getline(&line, &cap, stdin)) < 0) {
            putchar('\n');
            break;
        }
        outcome = take_line(t, &w, line, line + n);
        if (outcome == LINE_DONE)
            settle(t); /* a lost connection is told; the next command connects again */
    }
    free(line);
    free(w.arg);
    return EXIT_SUCCESS;
}
