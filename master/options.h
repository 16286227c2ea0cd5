/* options.h - the command line: what it asks for, not yet what it means.
 *
 * In getopt's style: -p 7000, -p7000, --port 7000, --port=7000, and one FILE. Every parameter is an option by its name, as
 * with redis-server; one that takes several values takes all up to the next option. The rows here and the table of
 * parameters make --help and the manual.
 *
 * Process: master, at its start. Fails: returned, with a message that says what to do.
 */
#ifndef KVSTASH_MASTER_OPTIONS_H
#define KVSTASH_MASTER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_ERROR_MAX 512

enum option_id {
    OPTION_CONFIG,
    OPTION_REDIS_CONF,
    OPTION_TEST_CONFIG,
    OPTION_RESTORE_FROM,
    OPTION_CHECK_REGION,
    OPTION_VERSION,
    OPTION_HELP,
    OPTION_COUNT
};

struct option_row {
    const char *name;     /* long name, without dashes; NULL ends the table */
    char letter;          /* '\0': none */
    const char *argument; /* NULL: takes none */
    const char *says;
    int param;            /* the parameter that it sets; -1: none */
};
/* The first OPTION_COUNT rows are the options that are no parameters; behind them the letters of some that are. */
extern const struct option_row option_rows[];

/* A parameter with its value: arguments begin .. begin + count - 1 of argv, or one text. */
struct option_setting {
    int param;
    int count;
    char *const *begin;
    const char *text; /* instead of begin, where count is 0 */
};

struct options {
    bool given[OPTION_COUNT];
    const char *file;       /* of -c or FILE; NULL: none */
    const char *redis_conf; /* NULL: none */
    const char *restore_from; /* NULL: not given */
    struct option_setting *settings; /* in the order given; owned, for the program's life */
    size_t nsettings;
};

bool options_parse(struct options *o, int argc, char **argv, char error[OPTIONS_ERROR_MAX]);
/* The text of --help, to standard output. */
void options_help(void);

#endif
