/* test_param.c - parameters: names, values, messages. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "command/config.h"

static struct param_value v;
static char error[PARAM_ERROR_MAX], text[PARAM_TEXT_MAX];

static const struct param *
row(const char *name)
{
    int id = param_find(name, strlen(name));
    cr_assert_geq(id, 0, "%s", name);
    return &params[id];
}

static void
expect(const char *name, const char *given, const char *shown)
{
    memset(&v, 0, sizeof v);
    cr_assert(param_parse_text(row(name), given, strlen(given), &v, error), "%s %s: %s", name, given, error);
    param_format(row(name), &v, text);
    cr_assert_str_eq(text, shown, "%s %s gave %s", name, given, text);
}

static void
expect_error(const char *name, const char *given, const char *what)
{
    cr_assert_not(param_parse_text(row(name), given, strlen(given), &v, error), "%s %s", name, given);
    cr_assert_str_eq(error, what, "%s %s gave: %s", name, given, error);
}

Test(param, every_default_is_a_value_and_stays_one)
{
    struct config_sh *c = aligned_alloc(64, sizeof *c);
    config_defaults(c);
    for (int id = 0; id < PARAM_COUNT; id++) {
        char again[PARAM_TEXT_MAX];
        config_get(c, id, &v);
        param_format(&params[id], &v, text);
        cr_assert(param_parse_text(&params[id], text, strlen(text), &v, error), "%s: %s", params[id].name, error);
        param_format(&params[id], &v, again);
        cr_assert_str_eq(text, again);
        param_allowed(&params[id], text);
        cr_assert(text[0] && params[id].says[0]);
    }
    cr_assert_eq(config_output_limit(c, 2).hard, 32u << 20);
    free(c);
}

Test(param, names_and_aliases_in_any_case)
{
    cr_assert_eq(param_find("MaxMemory", 9), PARAM_MAXMEMORY);
    cr_assert_eq(param_find("slaveof", 7), PARAM_REPLICAOF);
    cr_assert_lt(param_find("maxmemor", 8), 0);
    cr_assert_lt(param_find("", 0), 0);
    for (int a = 0; a < PARAM_COUNT; a++) {
        cr_assert_eq(param_find(params[a].name, strlen(params[a].name)), a, "%s stands twice", params[a].name);
        if (params[a].alias)
            cr_assert_eq(param_find(params[a].alias, strlen(params[a].alias)), a, "%s stands twice", params[a].alias);
    }
}

Test(param, numbers)
{
    expect("timeout", "0", "0");
    expect("slowlog-log-slower-than", "-1", "-1");
    expect("hz", "0", "1");
    expect("hz", "9999", "500");
    expect("unixsocketperm", "700", "700");
    static const char *const bad[] = {"", " 5", "05", "+5", "5.0", "5 ", "x", "9223372036854775808", "--1", "-0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_error("timeout", bad[i], "argument couldn't be parsed into an integer");
    expect_error("timeout", "2147483648", "argument must be between 0 and 2147483647 inclusive");
    expect_error("slowlog-log-slower-than", "-9223372036854775808", "argument must be between -1 and 9223372036854775807 inclusive");
}

Test(param, memory)
{
    expect("maxmemory", "1gb", "1073741824");
    expect("maxmemory", "1G", "1000000000");
    expect("maxmemory", "5MB", "5242880");
    expect("maxmemory", "7b", "7");
    expect("maxmemory", "", "0");
    expect("maxmemory", "18446744073709551616", "18446744073709551615");
    expect("maxmemory-clients", "10%", "10%");
    expect("maxmemory-clients", "0%", "0");
    expect_error("maxmemory", "-1", "argument must be a memory value");
    expect_error("maxmemory", "1.5gb", "argument must be a memory value");
    expect_error("maxmemory-clients", "101%", "percentage argument must be less or equal to 100");
    expect_error("maxmemory-clients", "x%", "argument must be a memory or percent value");
    expect_error("proto-max-bulk-len", "1023", "argument must be between 1048576 and 9223372036854775807 inclusive");
    expect_error("proto-max-bulk-len", "99999999999999999999", "argument must be between 1048576 and 9223372036854775807 inclusive");
}

Test(param, words)
{
    expect("appendonly", "YES", "yes");
    expect("maxmemory-policy", "ALLKEYS-LRU", "allkeys-lru");
    expect("shutdown-on-sigterm", "now nosave force", "nosave now force");
    expect("shutdown-on-sigterm", "default now", "now");
    expect_error("appendonly", "maybe", "argument must be 'yes' or 'no'");
    expect_error("loglevel", "debug notice", "argument(s) must be one of the following: debug, verbose, notice, warning");
    expect_error("shutdown-on-sigterm", "save nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously");
}

Test(param, texts_of_a_form)
{
    expect("save", "900 1 300 10", "900 1 300 10");
    expect("save", "", "");
    expect("oom-score-adj-values", "3 2 1", "3 2 1");
    expect("notify-keyspace-events", "Kxge", "gxeK");
    expect("notify-keyspace-events", "KEg$lshzxetdmn", "AKEm");
    expect("latency-tracking-info-percentiles", "50.123456789 1e1", "50.123457 10");
    expect("bind", "127.0.0.1 -::1", "127.0.0.1 -::1");
    expect_error("save", "  10   5 ", "Invalid save parameters");
    expect_error("save", "0 1", "Invalid save parameters");
    expect_error("oom-score-adj-values", "1 2", "wrong number of arguments");
    expect_error("notify-keyspace-events", "q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    expect_error("latency-tracking-info-percentiles", "nan", "Invalid latency-tracking-info-percentiles parameters");
    expect_error("cluster-announce-hostname", "a_b", "Hostnames may only contain alphanumeric characters, hyphens or dots");
    expect_error("proc-title-template", "{foo}", "template format is invalid or contains unknown variables");
}

Test(param, output_limits_change_the_named_classes)
{
    static const char given[] = "replica 1 2 3 PUBSUB 4kb 5 6";
    struct config_sh *c = aligned_alloc(64, sizeof *c);
    config_defaults(c);
    config_get(c, PARAM_CLIENT_OUTPUT_BUFFER_LIMIT, &v);
    cr_assert(param_parse_text(&params[PARAM_CLIENT_OUTPUT_BUFFER_LIMIT], given, strlen(given), &v, error));
    param_format(&params[PARAM_CLIENT_OUTPUT_BUFFER_LIMIT], &v, text);
    cr_assert_str_eq(text, "normal 0 0 0 slave 1 2 3 pubsub 4096 5 6");
    expect_error("client-output-buffer-limit", "foo 1 2 3", "Invalid client class specified in buffer limit configuration.");
    expect_error("client-output-buffer-limit", "normal 1 2", "Wrong number of arguments in buffer limit configuration.");
    expect_error("client-output-buffer-limit", "normal 1 2 -3", "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    free(c);
}

Test(param, a_text_that_is_too_long_or_has_a_zero_byte)
{
    char longer[PARAM_TEXT_MAX + 1];
    memset(longer, 'a', sizeof longer);
    cr_assert(param_parse_text(row("requirepass"), longer, PARAM_TEXT_MAX - 1, &v, error));
    cr_assert_not(param_parse_text(row("requirepass"), longer, PARAM_TEXT_MAX, &v, error));
    cr_assert_not(param_parse_text(row("requirepass"), "a\0b", 3, &v, error));
    cr_assert_not(param_parse_text(row("bind"), "a\0b", 3, &v, error));
    memset(longer, ' ', sizeof longer);
    cr_assert_not(param_parse_text(row("save"), longer, PARAM_TEXT_MAX, &v, error));
}
