/* command_row.h - one row of the command table: what a command is called, takes and does, and how that is told.
 *
 * COMMAND, COMMAND DOCS, COMMAND GETKEYS, HELP, the manual and the execution of commands read the same row. The rows
 * stand in command/rows_*.c, a file for each group; the macros below are what these files are written with.
 *
 * Facts (arity, flags, categories, key specifications, arguments, versions, tips) are those that Redis 7.0.15 tells
 * with COMMAND and COMMAND DOCS; the sentences are our own.
 */
#ifndef KVSTASH_COMMAND_COMMAND_ROW_H
#define KVSTASH_COMMAND_COMMAND_ROW_H

#include <stdbool.h>
#include <stdint.h>

struct cmd;
struct resp_arg;
typedef void command_fn(struct cmd *c);

/* In the order in which COMMAND shows them; command/cmd_command.c has their names. */
enum command_flag {
    CMD_WRITE = 1 << 0,
    CMD_READONLY = 1 << 1,
    CMD_DENYOOM = 1 << 2,
    CMD_ADMIN = 1 << 3,
    CMD_PUBSUB = 1 << 4,
    CMD_NOSCRIPT = 1 << 5,
    CMD_BLOCKING = 1 << 6,
    CMD_LOADING = 1 << 7,
    CMD_STALE = 1 << 8,
    CMD_SKIP_MONITOR = 1 << 9,
    CMD_SKIP_SLOWLOG = 1 << 10,
    CMD_ASKING = 1 << 11,
    CMD_FAST = 1 << 12,
    CMD_NO_AUTH = 1 << 13,
    CMD_NO_MANDATORY_KEYS = 1 << 14,
    CMD_NO_ASYNC_LOADING = 1 << 15,
    CMD_NO_MULTI = 1 << 16,
    CMD_MOVABLE_KEYS = 1 << 17, /* keys are found through the specifications, not through first, last, step */
    CMD_ALLOW_BUSY = 1 << 18,
    CMD_NO_TOUCH = 1 << 30, /* own, not shown: a look-up without locks leaves the access clock as it is */
    CMD_COPY_OK = 1 << 31, /* own, not shown: may run on a private copy of its only key's entry, without locks */
};

/* ACL categories, in the order in which COMMAND shows them. Those that follow from the flags (write, read, admin,
 * dangerous, pubsub, fast, slow, blocking) are not repeated in rows: command_acl() adds them. */
enum command_acl {
    ACL_KEYSPACE = 1 << 0,
    ACL_READ = 1 << 1,
    ACL_WRITE = 1 << 2,
    ACL_SET = 1 << 3,
    ACL_SORTEDSET = 1 << 4,
    ACL_LIST = 1 << 5,
    ACL_HASH = 1 << 6,
    ACL_STRING = 1 << 7,
    ACL_BITMAP = 1 << 8,
    ACL_HYPERLOGLOG = 1 << 9,
    ACL_GEO = 1 << 10,
    ACL_STREAM = 1 << 11,
    ACL_PUBSUB = 1 << 12,
    ACL_ADMIN = 1 << 13,
    ACL_FAST = 1 << 14,
    ACL_SLOW = 1 << 15,
    ACL_BLOCKING = 1 << 16,
    ACL_DANGEROUS = 1 << 17,
    ACL_CONNECTION = 1 << 18,
    ACL_TRANSACTION = 1 << 19,
    ACL_SCRIPTING = 1 << 20,
};

/* ---- keys --------------------------------------------------------------------------------------------------------- */

/* What a command does with a key: with the whole of it (one of the first four), with its value, and what is not sure. */
enum command_key_flag {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4,
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_NOT_KEY = 1 << 8,        /* no key, but it is routed like one */
    KEY_INCOMPLETE = 1 << 9,     /* the specification may miss keys */
    KEY_VARIABLE_FLAGS = 1 << 10, /* the arguments decide: row->key_flags */
};

enum command_key_begin { KEY_BEGIN_UNKNOWN, KEY_BEGIN_INDEX, KEY_BEGIN_KEYWORD };
enum command_key_find { KEY_FIND_UNKNOWN, KEY_FIND_RANGE, KEY_FIND_KEYNUM };

/* Where keys stand: where to begin, and which arguments from there on are keys. */
struct command_key_spec {
    uint32_t flags; /* enum command_key_flag; 0 ends the list */
    enum command_key_begin begin;
    const char *keyword; /* KEYWORD: begin behind this word ... */
    int index;           /* ... looked for from here on (negative: from the end, backwards); INDEX: begin here */
    enum command_key_find find;
    int last;      /* RANGE: last key, counted from the begin, or if negative from the end of the arguments */
    int step;      /* RANGE, KEYNUM: distance between keys */
    int limit;     /* RANGE with last -1: 2 or more stops after that part of the rest */
    int keynum_at; /* KEYNUM: where the number of keys stands, counted from the begin */
    int first;     /* KEYNUM: where the first key stands, counted from the begin */
    const char *notes;
};

/* ---- documentation -------------------------------------------------------------------------------------------------- */

enum command_arg_type {
    ARG_STRING,
    ARG_INTEGER,
    ARG_DOUBLE,
    ARG_KEY,
    ARG_PATTERN,
    ARG_UNIX_TIME,
    ARG_PURE_TOKEN,
    ARG_ONEOF,
    ARG_BLOCK,
};
enum command_arg_flag { ARG_OPTIONAL = 1 << 0, ARG_MULTIPLE = 1 << 1, ARG_MULTIPLE_TOKEN = 1 << 2 };

struct command_arg {
    const char *name; /* NULL ends the list */
    enum command_arg_type type;
    unsigned flags;
    int key_spec; /* KEY: number of the key's specification */
    const char *token, *since, *deprecated_since, *summary;
    const struct command_arg *args; /* of ONEOF and BLOCK */
};

struct command_history {
    const char *since; /* NULL ends the list */
    const char *change;
};

enum command_doc_flag { DOC_DEPRECATED = 1 << 0, DOC_SYSCMD = 1 << 1 };

/* ---- the row ---------------------------------------------------------------------------------------------------------- */

struct command_row {
    const char *name; /* lower case; "container|name" for a subcommand; NULL ends a list of rows */
    command_fn *run;  /* NULL: the command does not exist (yet), or is a container and nothing more */
    uint32_t flags;   /* enum command_flag */
    int arity;        /* argument count with the name (and the subcommand's); negative: at least */
    /* Positions of keys, first 0: none; last negative: from the end. Unless CMD_MOVABLE_KEYS they are all keys. */
    int16_t first, last, step;
    uint32_t acl; /* enum command_acl */
    const struct command_row *subs;
    const struct command_key_spec *keys;
    /* The flags of the key at argument arg, where KEY_VARIABLE_FLAGS says that they depend on the arguments. */
    uint32_t (*key_flags)(int argc, const struct resp_arg *argv, int arg);
    const char *group, *since, *complexity, *summary;
    unsigned doc_flags; /* enum command_doc_flag */
    const char *deprecated_since, *replaced_by;
    const char *const *tips;               /* NULL ends the list */
    const struct command_history *history;
    const struct command_arg *args;
};

/* ---- words to write rows with ------------------------------------------------------------------------------------------ */

/* One range of keys with its flags; further members (.notes) may follow. For rows with one specification. */
#define KEYS_RANGE(at, to, every, what, ...)                                                                                 \
    .first = (at), .last = (to) < 0 ? (to) : (at) + (to), .step = (every),                                                   \
    .keys = (const struct command_key_spec[]){KEY_SPEC(at, to, every, what, __VA_ARGS__), {0}}
#define KEY_AT(at, what, ...) KEYS_RANGE(at, 0, 1, what, __VA_ARGS__)
/* Several specifications, which together are the keys first to last. */
#define KEY_SPECS(from, to, every, ...)                                                                                      \
    .first = (from), .last = (to), .step = (every), .keys = (const struct command_key_spec[]){__VA_ARGS__, {0}}
#define KEY_SPEC(at, to, every, what, ...)                                                                                   \
    {.flags = (what), .begin = KEY_BEGIN_INDEX, .index = (at), .find = KEY_FIND_RANGE, .last = (to), .step = (every), __VA_ARGS__}

#define ARGS(...) .args = (const struct command_arg[]){__VA_ARGS__, {0}}
#define ARG(name_, type_, ...) {.name = (name_), .type = ARG_##type_, __VA_ARGS__}
#define TOKEN(name_, token_, ...) {.name = (name_), .type = ARG_PURE_TOKEN, .token = (token_), __VA_ARGS__}
#define HISTORY(...) .history = (const struct command_history[]){__VA_ARGS__, {0}}
#define TIPS(...) .tips = (const char *const[]){__VA_ARGS__, NULL}
#define DEPRECATED(version, instead) .doc_flags = DOC_DEPRECATED, .deprecated_since = (version), .replaced_by = (instead)

#endif
