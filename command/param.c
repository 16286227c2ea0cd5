/* param.c - the table of parameters and the text of their values (see param.h). */
#include "command/param.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/decimal.h"
#include "command/param_check.h"

const char *const param_group_names[PARAM_GROUPS] = {"server", "limits", "storage", "ttl", "persistence", "replication", "observability", "tls",
    "cluster"};

/* ---- the table ------------------------------------------------------------------------------------------------------- */

/* How the rows of tbl_params.h say their kind and flags. */
#define BOOL .kind = PARAM_BOOL, .unit = ""
#define INT(lo, hi, what) .kind = PARAM_INT, .min = lo, .max = hi, .unit = what
#define INT_WITHIN(lo, hi, least, most, what) .kind = PARAM_INT, .min = lo, .max = hi, .low = least, .high = most, .unit = what
#define MEMORY_WITHIN(lo, hi, least) .kind = PARAM_MEMORY, .min = lo, .max = hi, .low = least, .high = hi, .unit = "bytes"
#define OCTAL(lo, hi) .kind = PARAM_OCTAL, .min = lo, .max = hi, .unit = ""
#define MEMORY(lo, hi) .kind = PARAM_MEMORY, .min = lo, .max = hi, .unit = "bytes"
#define PERCENT(lo, hi) .kind = PARAM_PERCENT, .min = lo, .max = hi, .unit = "bytes"
#define WORD(...) .kind = PARAM_WORD, .words = {__VA_ARGS__}, .unit = ""
#define FLAGS(...) .kind = PARAM_FLAGS, .words = {__VA_ARGS__}, .unit = ""
#define STRING .kind = PARAM_STRING, .unit = ""
#define OUTPUT_LIMIT .kind = PARAM_OUTPUT_LIMIT, .unit = ""
#define CHECKED(function, form) .kind = PARAM_CHECKED, .check = function, .unit = form
#define IMMUTABLE PARAM_IMMUTABLE
#define PROTECTED PARAM_PROTECTED
#define HIDDEN PARAM_HIDDEN
#define MULTI PARAM_MULTI
#define SECRET PARAM_SECRET
#define IDLE PARAM_IDLE
#define UNSIGNED PARAM_UNSIGNED
#define OWN PARAM_OWN

const struct param params[PARAM_COUNT] = {
#define PARAM_NUMBER(id, its_name, its_alias, its_kind, its_fallback, its_flags, its_group, sentence) \
    [PARAM_##id] = {.name = its_name, .alias = its_alias, its_kind, .fallback = its_fallback, .flags = its_flags, \
        .group = PARAM_GROUP_##its_group, .text = -1, .says = sentence},
#define PARAM_TEXT(id, its_name, its_alias, its_kind, its_fallback, its_flags, its_group, sentence) \
    [PARAM_##id] = {.name = its_name, .alias = its_alias, its_kind, .fallback = its_fallback, .flags = its_flags, \
        .group = PARAM_GROUP_##its_group, .text = PARAM_TEXT_##id, .says = sentence},
#include "command/tbl_params.h"
};

static bool
is_name(const char *name, const char *text, size_t len)
{
    return name && strlen(name) == len && strncasecmp(name, text, len) == 0;
}

int
param_find(const char *name, size_t len)
{
    for (int i = 0; i < PARAM_COUNT; i++)
        if (is_name(params[i].name, name, len) || is_name(params[i].alias, name, len))
            return i;
    return -1;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool
fail(char error[PARAM_ERROR_MAX], const char *format, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, format);
    vsnprintf(error, PARAM_ERROR_MAX, format, ap);
    __builtin_va_end(ap);
    return false;
}

/* Some take the nearest number that makes sense for them. */
static void
keep_within(const struct param *p, struct param_value *v)
{
    if (p->high && v->number < p->low)
        v->number = p->low;
    if (p->high && v->number > p->high)
        v->number = p->high;
}

static bool
in_range(const struct param *p, int64_t n, char *error)
{
    if (n >= p->min && n <= p->max)
        return true;
    if (p->kind == PARAM_OCTAL)
        return fail(error, "argument must be between %lo and %lo inclusive", (unsigned long)p->min, (unsigned long)p->max);
    return fail(error, "argument must be between %ld and %ld inclusive", (long)p->min, (long)p->max);
}

static bool
read_memory(const struct param *p, const struct param_arg *a, struct param_value *v, char *error)
{
    uint64_t bytes;
    if (!param_read_memory(a->data, a->len, &bytes))
        return fail(error, p->kind == PARAM_PERCENT ? "argument must be a memory or percent value" : "argument must be a memory value");
    v->number = (int64_t)bytes;
    if (p->flags & PARAM_UNSIGNED)
        return true;
    /* of a share Redis takes the largest number for -1, which is 1% */
    return in_range(p, bytes > INT64_MAX && p->kind != PARAM_PERCENT ? INT64_MIN : v->number, error);
}

static bool
read_percent(const struct param *p, const struct param_arg *a, struct param_value *v, char *error)
{
    int64_t n;
    if (a->len < 2 || a->data[a->len - 1] != '%')
        return read_memory(p, a, v, error);
    if (!decimal_read(a->data, a->len - 1, &n) || n < 0)
        return fail(error, "argument must be a memory or percent value");
    if (n > 100)
        return fail(error, "percentage argument must be less or equal to 100");
    v->number = -n;
    return true;
}

static bool
read_octal(const struct param *p, const struct param_arg *a, struct param_value *v, char *error)
{
    v->number = 0;
    for (size_t i = 0; i < a->len; i++) {
        if (a->data[i] < '0' || a->data[i] > '7' || i > 8)
            return fail(error, "argument couldn't be parsed as an octal number");
        v->number = v->number * 8 + (a->data[i] - '0');
    }
    return a->len > 0 ? in_range(p, v->number, error) : fail(error, "argument couldn't be parsed as an octal number");
}

static int
word_of(const struct param *p, const struct param_arg *a)
{
    for (int i = 0; p->words[i]; i++)
        if (is_name(p->words[i], a->data, a->len))
            return i;
    return -1;
}

static void
list_words(const struct param *p, const char *before, char text[PARAM_TEXT_MAX])
{
    snprintf(text, PARAM_TEXT_MAX, "%s", before);
    for (int i = 0; p->words[i]; i++) {
        size_t at = strlen(text);
        snprintf(text + at, PARAM_TEXT_MAX - at, "%s%s", i ? ", " : "", p->words[i]);
    }
}

static bool
read_words(const struct param *p, int argc, const struct param_arg *argv, struct param_value *v, char *error)
{
    v->number = 0;
    for (int i = 0; i < argc; i++) {
        int word = word_of(p, &argv[i]);
        if (word < 0) {
            char list[PARAM_TEXT_MAX];
            list_words(p, "", list);
            return fail(error, "argument(s) must be one of the following: %.200s", list);
        }
        if (p->kind == PARAM_WORD)
            v->number = word;
        else if (word > 0)
            v->number |= 1 << (word - 1);
    }
    /* bits 0 and 1 of the two shutdown parameters, which are the only ones of their kind */
    if (p->kind == PARAM_FLAGS && (v->number & 3) == 3)
        return fail(error, "shutdown options SAVE and NOSAVE can't be used simultaneously");
    return true;
}

static bool
read_string(const struct param_arg *a, struct param_value *v, char *error)
{
    if (a->len >= PARAM_TEXT_MAX)
        return fail(error, "argument is longer than %d bytes", PARAM_TEXT_MAX - 1);
    if (memchr(a->data, '\0', a->len))
        return fail(error, "argument contains a zero byte");
    memcpy(v->text, a->data, a->len);
    v->text[a->len] = '\0';
    return true;
}

static bool
read_bool(const struct param_arg *a, struct param_value *v, char *error)
{
    if (!is_name("yes", a->data, a->len) && !is_name("no", a->data, a->len))
        return fail(error, "argument must be 'yes' or 'no'");
    v->number = is_name("yes", a->data, a->len);
    return true;
}

static bool
read_int(const struct param *p, const struct param_arg *a, struct param_value *v, char *error)
{
    if (!decimal_read(a->data, a->len, &v->number))
        return fail(error, "argument couldn't be parsed into an integer");
    return in_range(p, v->number, error);
}

static bool
read_checked(const struct param *p, int argc, const struct param_arg *argv, struct param_value *v, char *error)
{
    v->text[0] = '\0';
    const char *wrong = p->kind == PARAM_OUTPUT_LIMIT ? param_check_output_limit(argc, argv, v) : p->check(argc, argv, v);
    return wrong ? fail(error, "%s", wrong) : true;
}

static bool
parse_value(const struct param *p, int argc, const struct param_arg *argv, struct param_value *v, char error[PARAM_ERROR_MAX])
{
    bool ok = false;
    if (argc < 1 || (argc > 1 && !(p->flags & PARAM_MULTI)))
        return fail(error, "wrong number of arguments");
    switch (p->kind) {
    case PARAM_BOOL:
        return read_bool(argv, v, error);
    case PARAM_INT:
        return read_int(p, argv, v, error);
    case PARAM_OCTAL:
        return read_octal(p, argv, v, error);
    case PARAM_MEMORY:
        return read_memory(p, argv, v, error);
    case PARAM_PERCENT:
        return read_percent(p, argv, v, error);
    case PARAM_WORD:
    case PARAM_FLAGS:
        return read_words(p, argc, argv, v, error);
    case PARAM_OUTPUT_LIMIT:
        return read_checked(p, argc, argv, v, error);
    case PARAM_STRING:
        ok = read_string(argv, v, error);
        break;
    case PARAM_CHECKED:
        ok = read_checked(p, argc, argv, v, error);
        break;
    }
    v->number = ok ? (int64_t)strlen(v->text) : 0;
    return ok;
}

bool
param_parse(const struct param *p, int argc, const struct param_arg *argv, struct param_value *v, char error[PARAM_ERROR_MAX])
{
    bool ok = parse_value(p, argc, argv, v, error);
    keep_within(p, v);
    return ok;
}

bool
param_parse_text(const struct param *p, const char *text, size_t len, struct param_value *v, char error[PARAM_ERROR_MAX])
{
    struct param_arg args[PARAM_ARGS_MAX] = {{text, len}};
    int n = 1;
    for (size_t i = 0; (p->flags & PARAM_MULTI) && i < len; i++) {
        if (text[i] != ' ')
            continue;
        if (n == PARAM_ARGS_MAX)
            return fail(error, "more than %d arguments", PARAM_ARGS_MAX);
        args[n - 1].len = (size_t)(text + i - args[n - 1].data);
        args[n++] = (struct param_arg){text + i + 1, len - i - 1};
    }
    return param_parse(p, n, args, v, error);
}

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static void
format_flags(const struct param *p, int64_t number, char *text)
{
    snprintf(text, PARAM_TEXT_MAX, "%s", number ? "" : p->words[0]);
    for (int i = 1; p->words[i]; i++) {
        size_t at = strlen(text);
        if (number & 1 << (i - 1))
            snprintf(text + at, PARAM_TEXT_MAX - at, "%s%s", at ? " " : "", p->words[i]);
    }
}

static void
format_output(const struct param_value *v, char *text)
{
    text[0] = '\0';
    for (int i = 0; i < PARAM_OUTPUT_CLASSES; i++) {
        size_t at = strlen(text);
        snprintf(text + at, PARAM_TEXT_MAX - at, "%s%s %ld %ld %ld", i ? " " : "", param_output_classes[i], (long)v->output[i][0],
            (long)v->output[i][1], (long)v->output[i][2]);
    }
}

void
param_format(const struct param *p, const struct param_value *v, char text[PARAM_TEXT_MAX])
{
    switch (p->kind) {
    case PARAM_BOOL:
        snprintf(text, PARAM_TEXT_MAX, "%s", v->number ? "yes" : "no");
        return;
    case PARAM_OCTAL:
        snprintf(text, PARAM_TEXT_MAX, "%lo", (unsigned long)v->number);
        return;
    case PARAM_INT:
    case PARAM_MEMORY:
        snprintf(text, PARAM_TEXT_MAX, (p->flags & PARAM_UNSIGNED) ? "%lu" : "%ld", (long)v->number);
        return;
    case PARAM_PERCENT:
        snprintf(text, PARAM_TEXT_MAX, v->number < 0 ? "%lu%%" : "%lu", (unsigned long)(v->number < 0 ? -v->number : v->number));
        return;
    case PARAM_WORD:
        snprintf(text, PARAM_TEXT_MAX, "%s", p->words[v->number]);
        return;
    case PARAM_FLAGS:
        format_flags(p, v->number, text);
        return;
    case PARAM_OUTPUT_LIMIT:
        format_output(v, text);
        return;
    case PARAM_STRING:
    case PARAM_CHECKED:
        memcpy(text, v->text, PARAM_TEXT_MAX);
        return;
    }
}

void
param_allowed(const struct param *p, char text[PARAM_TEXT_MAX])
{
    switch (p->kind) {
    case PARAM_BOOL:
        snprintf(text, PARAM_TEXT_MAX, "yes or no");
        return;
    case PARAM_OCTAL:
        snprintf(text, PARAM_TEXT_MAX, "an octal number from %lo to %lo", (unsigned long)p->min, (unsigned long)p->max);
        return;
    case PARAM_INT:
        if (p->max >= INT32_MAX)
            snprintf(text, PARAM_TEXT_MAX, "a number from %ld on", (long)p->min);
        else
            snprintf(text, PARAM_TEXT_MAX, "a number from %ld to %ld", (long)p->min, (long)p->max);
        return;
    case PARAM_MEMORY:
        snprintf(text, PARAM_TEXT_MAX, "bytes from %ld on, as a number with or without b, k, kb, m, mb, g or gb", (long)p->min);
        return;
    case PARAM_PERCENT:
        snprintf(text, PARAM_TEXT_MAX, "bytes, as a number with or without b, k, kb, m, mb, g or gb, or 0%% to 100%%");
        return;
    case PARAM_WORD:
        list_words(p, "one of ", text);
        return;
    case PARAM_FLAGS:
        list_words(p, "some of ", text);
        return;
    case PARAM_OUTPUT_LIMIT:
        snprintf(text, PARAM_TEXT_MAX, "normal, replica or pubsub, two sizes and seconds; up to three times");
        return;
    case PARAM_STRING:
        snprintf(text, PARAM_TEXT_MAX, "a text of at most %d bytes", PARAM_TEXT_MAX - 1);
        return;
    case PARAM_CHECKED:
        snprintf(text, PARAM_TEXT_MAX, "%s", p->unit);
        return;
    }
}
