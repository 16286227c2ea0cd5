/* cli_main.c - kvstash-cli: commands to a server of the Redis protocol, from arguments, a pipe or a terminal.
 *
 * The words check, export and import in front are no commands but tools (tools.h).
 * Process: kvstash-cli, one thread. Ends with 0; 1 if the connection failed, or at an error reply with --exit-status; 2 if the
 * command line is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli_format.h"
#include "cli/cli_lines.h"
#include "cli/cli_options.h"
#include "cli/cli_talk.h"
#include "cli/tools.h"

#define READ_STEP 65536u

enum { EXIT_USAGE = 2 };

static cli_format *
format_of(const struct cli_options *o)
{
    if (o->json)
        return cli_format_json;
    return o->raw || (!o->no_raw && !isatty(STDOUT_FILENO)) ? cli_format_raw : cli_format_typed;
}

/* The password: from the command line, else from the environment (redis-cli's name is known, too). */
static const char *
password_of(const struct cli_options *o)
{
    if (o->password != NULL)
        return o->password;
    const char *own = getenv("KVSTASHCLI_AUTH");
    return own != NULL ? own : getenv("REDISCLI_AUTH");
}

/* All of standard input. False: memory is short. */
static bool
read_stdin(struct buf *in)
{
    size_t n = 1;
    while (n > 0) {
        if (!buf_reserve(in, READ_STEP))
            return false;
        n = fread(in->data + in->len, 1, READ_STEP, stdin);
        in->len += n;
    }
    return true;
}

static void
pause_for(double seconds)
{
    struct timespec t = { .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
    if (seconds > 0)
        nanosleep(&t, NULL);
}

static int
repeat_command(struct cli_talk *t, const struct cli_options *o, int argc, const struct resp_arg *argv)
{
    for (int64_t i = 0; o->repeat < 0 || i < o->repeat; i++) {
        if (i > 0)
            pause_for(o->interval_s);
        if (!cli_talk_connect(t) || !cli_talk_queue(t, argc, argv) || !cli_talk_flush(t))
            return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

/* The command that the operands are, perhaps with standard input as its last argument. */
static int
run_operands(struct cli_talk *t, const struct cli_options *o, int count, char **operands)
{
    struct buf in;
    int status = EXIT_FAILURE;
    struct resp_arg *argv = calloc((size_t)count + 1, sizeof *argv);
    buf_init(&in);
    if (argv == NULL || (o->stdin_argument && !read_stdin(&in))) {
        fprintf(stderr, "kvstash-cli: out of memory for the command\n");
    } else {
        for (int i = 0; i < count; i++)
            argv[i] = (struct resp_arg){ .data = operands[i], .len = strlen(operands[i]) };
        if (o->stdin_argument)
            argv[count++] = (struct resp_arg){ .data = buf_head(&in), .len = buf_pending(&in) };
        status = repeat_command(t, o, count, argv);
    }
    free(argv);
    buf_destroy(&in);
    return status;
}

static int
run(const struct cli_options *o, int count, char **operands)
{
    struct cli_talk talk;
    struct link_address address = cli_address(o);
    int status;
    cli_talk_init(&talk, &address, format_of(o));
    talk.exit_status = o->exit_status;
    talk.show_pushes = isatty(STDOUT_FILENO) == 1;
    if (count > 0)
        status = run_operands(&talk, o, count, operands);
    else if (isatty(STDIN_FILENO))
        status = cli_lines_from_terminal(&talk);
    else
        status = cli_lines_from_pipe(&talk);
    cli_talk_destroy(&talk);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("kvstash-cli: standard output");
        return EXIT_FAILURE;
    }
    return status;
}

int
main(int argc, char **argv)
{
    struct cli_options o = { 0 };
    char error[FLAG_ERROR_MAX];
    int operand = flag_parse(&cli_flags, &o, argc, argv, error);
    if (operand >= 0 && o.stdin_argument && operand == argc) {
        snprintf(error, sizeof error, "--stdin-argument needs a command; see --help");
        operand = -1;
    }
    if (operand < 0) {
        fprintf(stderr, "kvstash-cli: %s\n", error);
        return EXIT_USAGE;
    }
    if (o.help) {
        flag_print_help(&cli_flags, stdout);
        return EXIT_SUCCESS;
    }
    if (o.version) {
        puts("kvstash-cli " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    o.password = password_of(&o);
    int status;
    return tools_run(&o, argc - operand, argv + operand, &status) ? status : run(&o, argc - operand, argv + operand);
}
