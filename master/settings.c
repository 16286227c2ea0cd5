/* settings.c - the order of the sources (see settings.h).
 *
 * Each source is a list of names and texts that go through one function (set), which asks the parameter's row what is allowed
 * and notes where the value came from; a later source overwrites an earlier one. What a value does is not looked at here, but
 * for settings_check, which looks at values that do not go together.
 */
#include "master/settings.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "shm/shm_layout.h"

#define ENVIRONMENT_PREFIX "KVSTASH_"

__attribute__((format(printf, 2, 3))) static bool
fail(char error[SETTINGS_ERROR_MAX], const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(error, SETTINGS_ERROR_MAX, format, ap);
    va_end(ap);
    return false;
}

/* ---- one parameter ------------------------------------------------------------------------------------------------------ */

/* Pairs of save from one source add up, as in Redis's files; an empty text forgets those before. */
static bool
is_added(const struct settings *s, int id, enum settings_source source, size_t len)
{
    return id == PARAM_SAVE && s->source[id] == source && len > 0 && settings_text(s, PARAM_SAVE)[0];
}

/* where: "--port", "kvstash.conf:12", ... for the message. */
static bool
set(struct settings *s, int id, const char *text, enum settings_source source, const char *where, char *error)
{
    struct param_value v = {0};
    char why[PARAM_ERROR_MAX], allowed[PARAM_TEXT_MAX], joined[2 * PARAM_TEXT_MAX];
    if (is_added(s, id, source, strlen(text))) {
        snprintf(joined, sizeof joined, "%s %s", settings_text(s, PARAM_SAVE), text);
        text = joined;
    }
    config_get(&s->values, id, &v);
    if (!param_parse_text(&params[id], text, strlen(text), &v, why)) {
        param_allowed(&params[id], allowed);
        return fail(error, "%s: %s is '%.200s': %s; allowed: %s", where, params[id].name,
            params[id].flags & PARAM_SECRET ? "(hidden)" : text, why, allowed);
    }
    config_put(&s->values, id, &v);
    s->source[id] = (uint8_t)source;
    return true;
}

void
settings_set_number(struct settings *s, enum param_id id, int64_t n)
{
    config_put(&s->values, (int)id, &(struct param_value){.number = n});
}

void
settings_set_text(struct settings *s, enum param_id id, const char *text)
{
    struct param_value v;
    snprintf(v.text, sizeof v.text, "%s", text);
    v.number = (int64_t)strlen(v.text);
    config_put(&s->values, (int)id, &v);
}

/* ---- the sources ---------------------------------------------------------------------------------------------------------- */

/* KVSTASH_MAXMEMORY_POLICY for maxmemory-policy. */
static const char *
environment_of(const char *name, char variable[128])
{
    size_t n = (size_t)snprintf(variable, 128, ENVIRONMENT_PREFIX "%s", name);
    for (size_t i = 0; i < n; i++)
        variable[i] = variable[i] == '-' ? '_' : (char)toupper((unsigned char)variable[i]);
    return getenv(variable);
}

static bool
read_environment(struct settings *s, char *error)
{
    char variable[128];
    for (int id = 0; id < PARAM_COUNT; id++) {
        const char *names[] = {params[id].alias, params[id].name};
        for (int i = 0; i < 2; i++) {
            const char *text = names[i] ? environment_of(names[i], variable) : NULL;
            if (text && !set(s, id, text, SETTINGS_ENVIRONMENT, variable, error))
                return false;
        }
    }
    return true;
}

struct file_reading {
    struct settings *settings;
    bool grouped;          /* names stand in groups */
    char *error;
};

/* An entry of the file. False with the message in the reading's error. */
static bool
take_entry(void *arg, const struct conf_entry *e)
{
    struct file_reading *r = arg;
    char where[512];
    snprintf(where, sizeof where, "%.400s:%u", e->file, e->line);
    int id = param_find(e->name, strlen(e->name));
    if (id < 0)
        return fail(r->error, "%s: there is no parameter '%s'; kvstash.conf(5) lists all", where, e->name);
    const struct param *p = &params[id];
    const char *group = param_group_names[p->group];
    if (r->grouped && (!e->group || strcmp(e->group, group) != 0))
        return fail(r->error, "%s: %s stands in group '%s', but belongs to '%s'", where, e->name, e->group ? e->group : "none", group);
    if (e->count > 1 && !(p->flags & PARAM_MULTI))
        return fail(r->error, "%s: %s has %u values, but takes one", where, e->name, e->count);
    return set(r->settings, id, e->text, SETTINGS_FILE, where, r->error);
}

/* Entries of a text on top of what is there. */
static bool
read_text(struct settings *s, const char *text, size_t n, const char *path, bool redis, char *error)
{
    struct file_reading r = {.settings = s, .grouped = !redis, .error = error};
    char syntax[CONF_ERROR_MAX] = "";
    bool ok = (redis ? conf_redis_read_text : conf_read_text)(text, n, path, take_entry, &r, syntax);
    return ok || !syntax[0] ? ok : fail(error, "%s", syntax);
}

static bool
read_file(struct settings *s, const char *path, bool redis, char *error)
{
    size_t n;
    char *text = conf_load(path, &n, error);
    if (!text)
        return false;
    bool ok = read_text(s, text, n, path, redis, error);
    free(text);
    return ok;
}

const char *
settings_stranger(size_t *at)
{
    while (environ[*at]) {
        const char *variable = environ[(*at)++];
        char name[128];
        if (strncmp(variable, ENVIRONMENT_PREFIX, strlen(ENVIRONMENT_PREFIX)) != 0)
            continue;
        bool known = false;
        for (int id = 0; id < PARAM_COUNT && !known; id++)
            for (int i = 0; i < 2 && !known; i++) {
                const char *its = i ? params[id].alias : params[id].name;
                known = its && environment_of(its, name) && strncmp(variable, name, strlen(name)) == 0 && variable[strlen(name)] == '=';
            }
        if (!known)
            return variable;
    }
    return NULL;
}

/* Values that came as arguments of their own, with blanks between them. False: too long. */
static bool
join(const struct option_setting *o, char text[PARAM_TEXT_MAX])
{
    size_t n = 0;
    for (int i = 0; i < o->count; i++) {
        if (n + strlen(o->begin[i]) + 2 > PARAM_TEXT_MAX)
            return false;
        n += (size_t)sprintf(text + n, "%s%s", i ? " " : "", o->begin[i]);
    }
    return true;
}

static bool
read_command_line(struct settings *s, const struct options *o, char *error)
{
    for (size_t i = 0; i < o->nsettings; i++) {
        const struct option_setting *set_to = &o->settings[i];
        char joined[PARAM_TEXT_MAX] = "", where[128];
        snprintf(where, sizeof where, "--%s", params[set_to->param].name);
        if (set_to->count > 0 && !join(set_to, joined))
            return fail(error, "%s: the value is longer than %d bytes", where, PARAM_TEXT_MAX - 1);
        if (!set(s, set_to->param, set_to->count > 0 ? joined : set_to->text, SETTINGS_COMMAND_LINE, where, error))
            return false;
    }
    return true;
}

/* What depends on this machine. */
static void
fill_in(struct settings *s)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN), most = (long)params[PARAM_WORKERS].max;
    if (settings_number(s, PARAM_WORKERS) != 0)
        return;
    settings_set_number(s, PARAM_WORKERS, cores < 1 ? 1 : cores > most ? most : cores);
    s->source[PARAM_WORKERS] = SETTINGS_DEFAULT; /* who says 0 gives no number */
}

static void
begin(struct settings *s)
{
    memset(s->source, SETTINGS_DEFAULT, sizeof s->source);
    config_defaults(&s->values);
}

bool
settings_read_text(struct settings *s, const char *text, size_t n, const char *path, bool redis, char error[SETTINGS_ERROR_MAX])
{
    begin(s);
    if (!read_text(s, text, n, path, redis, error))
        return false;
    fill_in(s);
    return true;
}

bool
settings_load(struct settings *s, const struct options *o, char error[SETTINGS_ERROR_MAX])
{
    begin(s);
    if (o->file && o->redis_conf)
        return fail(error, "two configuration files are named: %s and --redis-conf %s; name one", o->file, o->redis_conf);
    if (o->file && !read_file(s, o->file, false, error))
        return false;
    if (o->redis_conf && !read_file(s, o->redis_conf, true, error))
        return false;
    if (!read_environment(s, error) || !read_command_line(s, o, error))
        return false;
    fill_in(s);
    return true;
}

/* ---- what does not go together -------------------------------------------------------------------------------------------- */

bool
settings_check(const struct settings *s, char error[SETTINGS_ERROR_MAX])
{
    int64_t shards = settings_number(s, PARAM_SHARDS);
    if (shards & (shards - 1))
        return fail(error, "shards is %ld: must be a power of two (1, 2, 4 .. %d)", (long)shards, (int)SHM_SHARDS_MAX);
    if (settings_number(s, PARAM_DATABASES) > (int64_t)SHM_DATABASES_MAX)
        return fail(error, "databases is %ld: must be a number from 1 to %d", (long)settings_number(s, PARAM_DATABASES), (int)SHM_DATABASES_MAX);
    if (settings_number(s, PARAM_PORT) == 0 && settings_text(s, PARAM_UNIXSOCKET)[0] == '\0')
        return fail(error, "port is 0 and there is no unixsocket: nobody could connect; set one of them");
    if (settings_number(s, PARAM_PORT) != 0 && settings_text(s, PARAM_BIND)[0] == '\0' && settings_text(s, PARAM_UNIXSOCKET)[0] == '\0')
        return fail(error, "bind names no address and there is no unixsocket: nobody could connect; set one of them");
    return true;
}
