/* param.h - the parameters: one table row for each, and how their values are read and written as text.
 *
 * The rows stand in tbl_params.h; CONFIG, the configuration file, the command line, the environment and the manual all
 * come from them. Names, defaults, ranges and error texts are Redis 7.0.15's (as CONFIG GET and CONFIG SET tell them).
 *
 * A value is a number (yes/no, counts, bytes, words by their place in the list) or a text; client-output-buffer-limit
 * is nine numbers. Where values live: command/config.h.
 *
 * Process: all. Locks: none; the table is constant. Fails: a text that is no value is told, nothing is stored.
 */
#ifndef KVSTASH_COMMAND_PARAM_H
#define KVSTASH_COMMAND_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum param_id {
#define PARAM_NUMBER(id, ...) PARAM_##id,
#define PARAM_TEXT(id, ...) PARAM_##id,
#include "command/tbl_params.h"
    PARAM_COUNT
};

/* Places of the texts among themselves. */
enum param_text {
#define PARAM_NUMBER(id, ...)
#define PARAM_TEXT(id, ...) PARAM_TEXT_##id,
#include "command/tbl_params.h"
    PARAM_TEXTS
};

#define PARAM_TEXT_MAX 1024    /* bytes of a text with its NUL */
#define PARAM_ERROR_MAX 256
#define PARAM_ARGS_MAX 64      /* of one value */
#define PARAM_WORDS_MAX 9
#define PARAM_OUTPUT_CLASSES 3 /* normal, replica, pubsub */

enum param_group {
    PARAM_GROUP_SERVER,
    PARAM_GROUP_LIMITS,
    PARAM_GROUP_STORAGE,
    PARAM_GROUP_TTL,
    PARAM_GROUP_PERSISTENCE,
    PARAM_GROUP_REPLICATION,
    PARAM_GROUP_OBSERVABILITY,
    PARAM_GROUP_TLS,
    PARAM_GROUP_CLUSTER,
    PARAM_GROUPS
};
extern const char *const param_group_names[PARAM_GROUPS];

enum param_kind {
    PARAM_BOOL,         /* yes or no */
    PARAM_INT,
    PARAM_OCTAL,
    PARAM_MEMORY,       /* bytes, with a unit: 1k = 1000, 1kb = 1024, m, mb, g, gb */
    PARAM_PERCENT,      /* bytes, or n%: kept as -n */
    PARAM_WORD,         /* one of words[]: its place */
    PARAM_FLAGS,        /* several of words[]: bit i - 1 for place i; place 0 is "none of them" */
    PARAM_STRING,
    PARAM_OUTPUT_LIMIT, /* client-output-buffer-limit */
    PARAM_CHECKED,      /* a text whose form `check` knows */
};

enum param_flag {
    PARAM_IMMUTABLE = 1 << 0, /* set at the start only */
    PARAM_PROTECTED = 1 << 1, /* CONFIG SET only with enable-protected-configs */
    PARAM_HIDDEN = 1 << 2,    /* shown only when asked for by its name */
    PARAM_MULTI = 1 << 3,     /* several arguments */
    PARAM_SECRET = 1 << 4,    /* never in the log */
    PARAM_IDLE = 1 << 5,      /* accepted, kept and shown; without effect in this version */
    PARAM_UNSIGNED = 1 << 6,  /* the whole range of 64 bits */
    PARAM_OWN = 1 << 7,       /* not Redis's */
};

struct param_arg {
    const char *data; /* any bytes; not terminated */
    size_t len;
};

struct param_value {
    int64_t number; /* of a text: its length */
    int64_t output[PARAM_OUTPUT_CLASSES][3]; /* hard, soft, soft seconds; of PARAM_OUTPUT_LIMIT alone */
    char text[PARAM_TEXT_MAX];
};

/* Writes the text's usual form into v->text, or says what is wrong. */
typedef const char *param_check_fn(int argc, const struct param_arg *argv, struct param_value *v);

struct param {
    const char *name, *alias; /* alias: NULL if there is none */
    enum param_kind kind;
    int64_t min, max;
    int64_t low, high;        /* what is allowed outside of these is taken as the nearer of them; both 0: taken as it is */
    const char *unit;         /* "" or what the number counts */
    const char *words[PARAM_WORDS_MAX + 1];
    param_check_fn *check;
    const char *fallback;     /* the default, as text */
    uint32_t flags;           /* enum param_flag */
    enum param_group group;
    int text;                 /* enum param_text; -1: a number */
    const char *says;         /* one sentence for the manual, in mdoc's plain text */
};

extern const struct param params[PARAM_COUNT];

/* By name or alias, in any case; -1: there is none. */
int param_find(const char *name, size_t len);

/* Reads a value. False with the reason in error, in Redis's words. MULTI parameters take several arguments, others one. An
 * output limit changes only the classes that it names: v holds the value so far. */
bool param_parse(const struct param *p, int argc, const struct param_arg *argv, struct param_value *v, char error[PARAM_ERROR_MAX]);
/* The same from one text, as CONFIG SET has it: the arguments of a MULTI parameter stand between single blanks. */
bool param_parse_text(const struct param *p, const char *text, size_t len, struct param_value *v, char error[PARAM_ERROR_MAX]);
/* The value as CONFIG GET shows it. */
void param_format(const struct param *p, const struct param_value *v, char text[PARAM_TEXT_MAX]);
/* What values are allowed, in words for messages and the manual: "a number from 1 to 10". */
void param_allowed(const struct param *p, char text[PARAM_TEXT_MAX]);

#endif
