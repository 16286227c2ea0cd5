/* settings.h - what the server is told to be: defaults, then the file, then the environment, then the command line.
 *
 * Process: master. Fails: returned, with a message that says what, where and what is allowed.
 */
#ifndef KVSTASH_MASTER_SETTINGS_H
#define KVSTASH_MASTER_SETTINGS_H

#include "command/config.h"
#include "master/options.h"

#define SETTINGS_ERROR_MAX 1024

enum settings_source { SETTINGS_DEFAULT, SETTINGS_FILE, SETTINGS_ENVIRONMENT, SETTINGS_COMMAND_LINE };

struct settings {
    struct config_sh values;
    uint8_t source[PARAM_COUNT]; /* enum settings_source */
};

/* Reads everything anew. */
bool settings_load(struct settings *s, const struct options *o, char error[SETTINGS_ERROR_MAX]);
/* The next environment variable that looks like a parameter's and is none; *at counts on from 0. NULL: no more. */
const char *settings_stranger(size_t *at);
/* What a file of this text alone would say (redis: in redis.conf's syntax). Any bytes may come. */
bool settings_read_text(struct settings *s, const char *text, size_t n, const char *path, bool redis, char error[SETTINGS_ERROR_MAX]);
/* What no single parameter shows: values that do not go together, or that this machine cannot give. */
bool settings_check(const struct settings *s, char error[SETTINGS_ERROR_MAX]);

static inline int64_t
settings_number(const struct settings *s, enum param_id id)
{
    return config_value(&s->values, id);
}
static inline const char *
settings_text(const struct settings *s, enum param_id id)
{
    return s->values.text[params[id].text];
}
void settings_set_number(struct settings *s, enum param_id id, int64_t n);
void settings_set_text(struct settings *s, enum param_id id, const char *text);

#endif
