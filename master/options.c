/* options.c - the command line (see options.h).
 *
 * Options that are no parameters have rows here; every parameter is a long option by its own name. Nothing is acted on while
 * parsing: the result lists what was given, in order, and settings.c gives it meaning. An argument that is a file's name may
 * stand anywhere. Fails: a message for the user; the rest of the line is not looked at.
 */
#include "master/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command/param.h"

const struct option_row option_rows[] = {
    [OPTION_CONFIG] = {"config", 'c', "FILE", "Read the configuration from FILE; the same as FILE alone.", -1},
    [OPTION_REDIS_CONF] = {"redis-conf", '\0', "FILE", "Read the configuration from a redis.conf.", -1},
    [OPTION_TEST_CONFIG] = {"test-config", 't', NULL, "Check the configuration, say what is wrong with it, and end.", -1},
    [OPTION_RESTORE_FROM] = {"restore-from", 'r', "FILE",
        "Begin with the data of FILE, whatever else there is: a snapshot, or a log's manifest, directory or file.", -1},
    [OPTION_CHECK_REGION] = {"check-region", '\0', NULL, "Check the region's file while no server runs, say what is in it, and end.", -1},
    [OPTION_VERSION] = {"version", 'v', NULL, "Say which version this is, and end.", -1},
    [OPTION_HELP] = {"help", 'h', NULL, "Show the options and end.", -1},
    {"port", 'p', "PORT", "The same as --port.", PARAM_PORT},
    {"workers", 'w', "N", "The same as --workers.", PARAM_WORKERS},
    {"shards", 's', "N", "The same as --shards.", PARAM_SHARDS},
    {"daemonize", 'd', NULL, "The same as --daemonize yes.", PARAM_DAEMONIZE},
    {NULL, '\0', NULL, NULL, -1},
};

/* Where the parse stands. */
struct parse {
    struct options *o;
    char **argv;
    int argc, at; /* next argument */
    char *error;
};

__attribute__((format(printf, 2, 3))) static bool
fail(struct parse *p, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(p->error, OPTIONS_ERROR_MAX, format, ap);
    va_end(ap);
    return false;
}

static const struct option_row *
row_of_letter(char letter)
{
    for (const struct option_row *r = option_rows; r->name; r++)
        if (r->letter == letter && letter)
            return r;
    return NULL;
}

static const struct option_row *
row_of_name(const char *name, size_t len)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (strlen(option_rows[i].name) == len && strncmp(option_rows[i].name, name, len) == 0)
            return &option_rows[i];
    return NULL;
}

static bool
set_file(struct parse *p, const char *file)
{
    if (p->o->file)
        return fail(p, "two configuration files are named: %s and %s; name one", p->o->file, file);
    p->o->file = file;
    return true;
}

static void
add_setting(struct parse *p, struct option_setting s)
{
    p->o->settings[p->o->nsettings++] = s;
}

/* Acts on an option that is no parameter. */
static bool
take_row(struct parse *p, const struct option_row *row, const char *argument)
{
    unsigned id = (unsigned)(row - option_rows);
    p->o->given[id] = true;
    if (id == OPTION_CONFIG)
        return set_file(p, argument);
    if (id == OPTION_REDIS_CONF)
        p->o->redis_conf = argument;
    if (id == OPTION_RESTORE_FROM)
        p->o->restore_from = argument;
    return true;
}

/* Ends a list of values? A value may begin with '-' (-1, -::1), but not with "--", nor be a known letter's option. */
static bool
is_option(const char *a)
{
    return a[0] == '-' && (a[1] == '-' || (a[1] && a[2] == '\0' && row_of_letter(a[1])));
}

/* The values of --name for a parameter. inline_value: what stood behind '=', or NULL. */
static bool
take_param(struct parse *p, int id, const char *inline_value)
{
    const struct param *row = &params[id];
    int begin = p->at;
    if (inline_value) {
        add_setting(p, (struct option_setting){.param = id, .text = inline_value});
        return true;
    }
    bool has_next = p->at < p->argc;
    if (row->kind == PARAM_BOOL && !(has_next && (strcasecmp(p->argv[p->at], "yes") == 0 || strcasecmp(p->argv[p->at], "no") == 0))) {
        add_setting(p, (struct option_setting){.param = id, .text = "yes"});
        return true;
    }
    if (!has_next)
        return fail(p, "--%s needs a value; see --help", row->name);
    p->at++;
    while ((row->flags & PARAM_MULTI) && p->at < p->argc && !is_option(p->argv[p->at]))
        p->at++;
    add_setting(p, (struct option_setting){.param = id, .begin = &p->argv[begin], .count = p->at - begin});
    return true;
}

static bool
take_long(struct parse *p, const char *name)
{
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_row *row = row_of_name(name, len);
    int id = row ? -1 : param_find(name, len);
    if (id >= 0)
        return take_param(p, id, equals ? equals + 1 : NULL);
    if (!row)
        return fail(p, "unknown option --%.*s; see --help", (int)len, name);
    if (!row->argument)
        return equals ? fail(p, "--%s takes no value", row->name) : take_row(p, row, NULL);
    if (!equals && p->at >= p->argc)
        return fail(p, "--%s needs a value: %s", row->name, row->argument);
    return take_row(p, row, equals ? equals + 1 : p->argv[p->at++]);
}

/* One argument of letters: -t, -td, -p7000, -p 7000. */
static bool
take_letters(struct parse *p, const char *letters)
{
    for (; *letters; letters++) {
        const struct option_row *row = row_of_letter(*letters);
        const char *argument = NULL;
        if (!row)
            return fail(p, "unknown option -%c; see --help", *letters);
        if (row->argument) {
            if (!letters[1] && p->at >= p->argc)
                return fail(p, "-%c needs a value: %s", *letters, row->argument);
            argument = letters[1] ? letters + 1 : p->argv[p->at++];
        }
        if (row->param >= 0)
            add_setting(p, (struct option_setting){.param = row->param, .text = argument ? argument : "yes"});
        else if (!take_row(p, row, argument))
            return false;
        if (argument)
            return true;
    }
    return true;
}

bool
options_parse(struct options *o, int argc, char **argv, char error[OPTIONS_ERROR_MAX])
{
    struct parse p = {.o = o, .argv = argv, .argc = argc, .at = 1, .error = error};
    size_t letters = 0;
    bool only_file = false; /* behind -- */
    for (int i = 1; i < argc; i++)
        letters += strlen(argv[i]);
    *o = (struct options){.settings = calloc(letters + 1, sizeof *o->settings)}; /* a letter sets one parameter at most */
    if (!o->settings)
        return fail(&p, "no memory for the command line");
    while (p.at < argc) {
        const char *a = argv[p.at++];
        bool ok = true;
        if (only_file || a[0] != '-' || a[1] == '\0')
            ok = set_file(&p, a);
        else if (strcmp(a, "--") == 0)
            only_file = true;
        else if (a[1] == '-')
            ok = take_long(&p, a + 2);
        else
            ok = take_letters(&p, a + 1);
        if (!ok)
            return false;
    }
    return true;
}

/* ---- help ------------------------------------------------------------------------------------------------------------- */

void
options_help(void)
{
    puts("usage: kvstash [options] [FILE]\n\noptions:");
    for (const struct option_row *r = option_rows; r->name; r++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", r->letter ? '-' : ' ', r->letter ? r->letter : ' ', r->letter ? "," : " ", r->name,
            r->argument ? " " : "", r->argument ? r->argument : "");
        printf("  %-28s %s\n", left, r->says);
    }
    puts("\nparameters, each an option --NAME VALUE (kvstash.conf(5) says more):");
    for (int i = 0; i < PARAM_COUNT; i++) {
        if (params[i].flags & PARAM_HIDDEN)
            continue;
        printf("  --%s (%s)\n", params[i].name, params[i].fallback[0] ? params[i].fallback : "empty");
    }
}
