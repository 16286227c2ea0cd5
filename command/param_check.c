/* param_check.c - forms of parameters (see param_check.h).
 *
 * Each form is read word by word and written back in its usual spelling, so that what CONFIG GET shows is the same however it
 * was given. The texts of refusals are Redis's (config.c of Redis 7.0). Whether a value may be changed now, and what it does,
 * is not looked at here.
 */
#include "command/param_check.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/decimal.h"

#define WORD_MAX 128 /* of a number as text */

/* ---- reading -------------------------------------------------------------------------------------------------------- */

bool
param_read_memory(const char *text, size_t len, uint64_t *bytes)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"", 1}, {"b", 1}, {"k", 1000}, {"kb", 1024}, {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};
    size_t digits = 0;
    uint64_t v = 0;
    while (digits < len && text[digits] >= '0' && text[digits] <= '9') {
        uint64_t digit = (uint64_t)(text[digits++] - '0');
        v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].name) != len - digits || strncasecmp(units[i].name, text + digits, len - digits) != 0)
            continue;
        *bytes = v > UINT64_MAX / units[i].factor ? UINT64_MAX : v * units[i].factor;
        return true;
    }
    return false;
}

static bool
arg_is(const struct param_arg *a, const char *word)
{
    return a->len == strlen(word) && strncasecmp(a->data, word, a->len) == 0;
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

static const char too_long[] = "argument is longer than 1023 bytes";

/* Adds a word, with a blank before it unless it is the first. */
static const char *
put(struct param_value *v, const char *word, size_t len)
{
    size_t at = strlen(v->text);
    if (memchr(word, '\0', len))
        return "argument contains a zero byte";
    if (at + len + 2 > PARAM_TEXT_MAX)
        return too_long;
    if (at > 0)
        v->text[at++] = ' ';
    memcpy(v->text + at, word, len);
    v->text[at + len] = '\0';
    return NULL;
}

static const char *
put_int(struct param_value *v, int64_t n)
{
    char text[24];
    return put(v, text, (size_t)snprintf(text, sizeof text, "%ld", (long)n));
}

/* ---- the forms -------------------------------------------------------------------------------------------------------- */

const char *
param_check_bind(int argc, const struct param_arg *argv, struct param_value *v)
{
    const char *error = argc > PARAM_BIND_MAX ? "Too many bind addresses specified." : NULL;
    if (argc == 1 && argv[0].len == 0)
        return NULL;
    for (int i = 0; i < argc && !error; i++)
        error = argv[i].len == 0 ? "Failed to bind to specified addresses." : put(v, argv[i].data, argv[i].len);
    return error;
}

const char *
param_check_title(int argc, const struct param_arg *argv, struct param_value *v)
{
    static const char *const variables[] = {"{title}", "{listen-addr}", "{server-mode}", "{port}", "{tls-port}", "{unixsocket}", "{config-file}"};
    static const char wrong[] = "template format is invalid or contains unknown variables";
    const char *p = argv[0].data, *end = p + argv[0].len;
    (void)argc;
    if (argv[0].len == 0)
        return wrong;
    while (p < end && (p = memchr(p, '{', (size_t)(end - p)))) {
        size_t i = 0, n = sizeof variables / sizeof variables[0];
        while (i < n && ((size_t)(end - p) < strlen(variables[i]) || strncasecmp(p, variables[i], strlen(variables[i])) != 0))
            i++;
        if (i == n)
            return wrong;
        p += strlen(variables[i]);
    }
    return put(v, argv[0].data, argv[0].len);
}

const char *
param_check_oom_values(int argc, const struct param_arg *argv, struct param_value *v)
{
    const char *error = argc != 3 ? "wrong number of arguments" : NULL;
    for (int i = 0; i < argc && !error; i++) {
        int64_t n;
        if (!decimal_read(argv[i].data, argv[i].len, &n) || n < -2000 || n > 2000)
            return "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
        error = put_int(v, n);
    }
    return error;
}

const char *
param_check_save(int argc, const struct param_arg *argv, struct param_value *v)
{
    static const char wrong[] = "Invalid save parameters";
    const char *error = NULL;
    if (argc == 1 && argv[0].len == 0)
        return NULL;
    if (argc % 2)
        return wrong;
    for (int i = 0; i < argc && !error; i++) {
        int64_t n;
        if (!decimal_read(argv[i].data, argv[i].len, &n) || n < (i % 2 ? 0 : 1) || n > INT32_MAX)
            return wrong;
        error = put_int(v, n);
    }
    return error;
}

const char *
param_check_file_name(int argc, const struct param_arg *argv, struct param_value *v)
{
    (void)argc;
    if (argv[0].len == 0 || memchr(argv[0].data, '/', argv[0].len))
        return "it can't be a path, just a filename";
    return put(v, argv[0].data, argv[0].len);
}

const char *
param_check_replicaof(int argc, const struct param_arg *argv, struct param_value *v)
{
    int64_t port;
    if (argc == 1 && argv[0].len == 0)
        return NULL;
    if (argc != 2 || argv[0].len == 0)
        return "wrong number of arguments";
    if (arg_is(&argv[0], "no") && arg_is(&argv[1], "one"))
        return NULL;
    if (!decimal_read(argv[1].data, argv[1].len, &port) || port < 0 || port > 65535)
        return "Invalid master port";
    const char *error = put(v, argv[0].data, argv[0].len);
    return error ? error : put_int(v, port);
}

/* As Redis shows it: six digits after the point, without trailing zeros. */
static const char *
put_percentile(struct param_value *v, double d)
{
    char text[32];
    size_t n = (size_t)snprintf(text, sizeof text, "%f", d);
    while (text[n - 1] == '0')
        n--;
    n -= text[n - 1] == '.';
    return put(v, text, n);
}

const char *
param_check_percentiles(int argc, const struct param_arg *argv, struct param_value *v)
{
    const char *error = NULL;
    if (argc == 1 && argv[0].len == 0)
        return NULL;
    for (int i = 0; i < argc && !error; i++) {
        char word[WORD_MAX], *end;
        snprintf(word, sizeof word, "%.*s", (int)argv[i].len, argv[i].data);
        double d = strtod(word, &end);
        if (argv[i].len == 0 || argv[i].len >= sizeof word || *end || strlen(word) != argv[i].len || isnan(d) || word[0] == ' ')
            return "Invalid latency-tracking-info-percentiles parameters";
        if (d < 0 || d > 100)
            return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
        error = put_percentile(v, d);
    }
    return error;
}

const char *
param_check_events(int argc, const struct param_arg *argv, struct param_value *v)
{
    static const char letters[] = "g$lshzxetdnKEm", classes[] = "g$lshzxetd";
    bool has[sizeof letters] = {false}, all = true;
    (void)argc;
    for (size_t i = 0; i < argv[0].len; i++) {
        char c = argv[0].data[i];
        const char *at = c ? strchr(letters, c) : NULL;
        if (!at && c != 'A')
            return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
        if (at)
            has[at - letters] = true;
        for (size_t k = 0; c == 'A' && k < sizeof classes - 1; k++)
            has[k] = true;
    }
    for (size_t k = 0; k < sizeof classes - 1; k++)
        all = all && has[k];
    char *to = v->text;
    if (all)
        *to++ = 'A';
    /* with all classes Redis shows no 'n' */
    for (size_t k = all ? sizeof classes : 0; letters[k]; k++)
        if (has[k])
            *to++ = letters[k];
    *to = '\0';
    return NULL;
}

const char *
param_check_hostname(int argc, const struct param_arg *argv, struct param_value *v)
{
    (void)argc;
    if (argv[0].len >= 256)
        return "Hostnames must be less than 256 characters";
    for (size_t i = 0; i < argv[0].len; i++) {
        char c = argv[0].data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
            return "Hostnames may only contain alphanumeric characters, hyphens or dots";
    }
    return put(v, argv[0].data, argv[0].len);
}

/* ---- output limits ------------------------------------------------------------------------------------------------------ */

const char *const param_output_classes[PARAM_OUTPUT_CLASSES] = {"normal", "slave", "pubsub"};

static int
output_class(const struct param_arg *a)
{
    for (int i = 0; i < PARAM_OUTPUT_CLASSES; i++)
        if (arg_is(a, param_output_classes[i]))
            return i;
    return arg_is(a, "replica") ? 1 : -1;
}

const char *
param_check_output_limit(int argc, const struct param_arg *argv, struct param_value *v)
{
    if (argc == 1 && argv[0].len == 0)
        return NULL;
    if (argc % 4)
        return "Wrong number of arguments in buffer limit configuration.";
    for (int i = 0; i < argc; i += 4) {
        int class = output_class(&argv[i]);
        uint64_t hard, soft;
        int64_t seconds;
        if (class < 0)
            return "Invalid client class specified in buffer limit configuration.";
        if (!param_read_memory(argv[i + 1].data, argv[i + 1].len, &hard) || !param_read_memory(argv[i + 2].data, argv[i + 2].len, &soft) ||
            !decimal_read(argv[i + 3].data, argv[i + 3].len, &seconds) || seconds < 0)
            return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        v->output[class][0] = hard > INT64_MAX ? INT64_MAX : (int64_t)hard;
        v->output[class][1] = soft > INT64_MAX ? INT64_MAX : (int64_t)soft;
        v->output[class][2] = seconds;
    }
    return NULL;
}
