/* test_options.c - the command line. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "command/param.h"
#include "master/options.h"

static struct options o;
static char error[OPTIONS_ERROR_MAX];

#define PARSE(...) parse((char *[]){"kvstash", __VA_ARGS__, NULL})

/* Options point into argv for the program's life. */
static bool
parse(char **given)
{
    static char *argv[32];
    int argc = 0;
    for (; given[argc]; argc++)
        argv[argc] = given[argc];
    free(o.settings);
    memset(&o, 0, sizeof o);
    return options_parse(&o, argc, argv, error);
}

static void
expect(size_t i, int id, int count, const char *first)
{
    cr_assert_lt(i, o.nsettings);
    cr_assert_eq(o.settings[i].param, id);
    cr_assert_eq(o.settings[i].count, count);
    cr_assert_str_eq(count ? o.settings[i].begin[0] : o.settings[i].text, first);
}

Test(options, letters)
{
    cr_assert(PARSE("-dp7000", "-w", "3", "-ts8", "my.conf"));
    expect(0, PARAM_DAEMONIZE, 0, "yes");
    expect(1, PARAM_PORT, 0, "7000");
    expect(2, PARAM_WORKERS, 0, "3");
    expect(3, PARAM_SHARDS, 0, "8");
    cr_assert(o.given[OPTION_TEST_CONFIG]);
    cr_assert_str_eq(o.file, "my.conf");
}

Test(options, names)
{
    cr_assert(PARSE("--port", "1", "--hz=5", "--config=f", "--SLAVEOF", "no", "one", "--check-region", "--requirepass", "-x"));
    expect(0, PARAM_PORT, 1, "1");
    expect(1, PARAM_HZ, 0, "5");
    expect(2, PARAM_REPLICAOF, 2, "no");
    expect(3, PARAM_REQUIREPASS, 1, "-x");
    cr_assert(o.given[OPTION_CHECK_REGION]);
    cr_assert_str_eq(o.file, "f");
}

Test(options, several_values_end_at_the_next_option)
{
    cr_assert(PARSE("--save", "", "--bind", "127.0.0.1", "-::1", "-p", "2", "--client-output-buffer-limit", "normal", "0", "0", "0", "--timeout", "1", "f"));
    expect(0, PARAM_SAVE, 1, "");
    expect(1, PARAM_BIND, 2, "127.0.0.1");
    expect(2, PARAM_PORT, 0, "2");
    expect(3, PARAM_CLIENT_OUTPUT_BUFFER_LIMIT, 4, "normal");
    expect(4, PARAM_TIMEOUT, 1, "1");
    cr_assert_str_eq(o.file, "f");
}

Test(options, yes_needs_no_value)
{
    cr_assert(PARSE("--daemonize", "--appendonly", "no", "--rdbcompression", "f.conf"));
    expect(0, PARAM_DAEMONIZE, 0, "yes");
    expect(1, PARAM_APPENDONLY, 1, "no");
    expect(2, PARAM_RDBCOMPRESSION, 0, "yes");
    cr_assert_str_eq(o.file, "f.conf");
}

Test(options, mistakes)
{
    cr_assert_not(PARSE("--nosuch", "1"));
    cr_assert_str_eq(error, "unknown option --nosuch; see --help");
    cr_assert_not(PARSE("-z"));
    cr_assert_not(PARSE("-p"));
    cr_assert_not(PARSE("--port"));
    cr_assert_not(PARSE("a", "b"));
    cr_assert_not(PARSE("--version=1"));
    cr_assert_not(PARSE("--", "-a", "-b"));
    cr_assert(PARSE("--", "-a"));
    cr_assert_str_eq(o.file, "-a");
}
