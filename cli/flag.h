/* flag.h - command line flags as a table.
 *
 * A program describes its flags in one table; from the rows come parsing, defaults, --help and the list in its manual page,
 * so that none of them can say something else than another. A row names the field of the program's options struct that it
 * fills. Process: the programs of cli/. Fails: a mistake of the user is a message, returned.
 */
#ifndef KVSTASH_CLI_FLAG_H
#define KVSTASH_CLI_FLAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FLAG_ERROR_MAX 256u /* bytes of a message */
#define FLAG_ROWS_MAX 64u

enum flag_kind {
    FLAG_ON,     /* no value; the field is a bool */
    FLAG_TEXT,   /* const char *, borrowed from argv */
    FLAG_NUMBER, /* int64_t from min to max */
    FLAG_REAL,   /* double from min to max */
};

struct flag {
    const char *name;    /* long name without "--" */
    char letter;         /* short name, or 0 */
    enum flag_kind kind;
    size_t field;        /* offset of the field in the options struct */
    const char *value;   /* what the value is, for the reader; NULL with FLAG_ON */
    const char *initial; /* the value if the flag is not given, as a user would write it; NULL: false, NULL or 0 */
    int64_t min, max;
    const char *help;    /* one sentence without a full stop */
};

struct flag_table {
    const char *program;
    const char *operands; /* behind the flags in the usage line; "" if there are none */
    const char *summary;  /* one sentence */
    bool anywhere;        /* flags may stand behind operands, too; "--" ends them */
    const struct flag *row;
    size_t rows;
};

/* Fills options with the defaults, then from argv up to the first operand (anywhere: all flags, which are moved in front of the
 * operands). Returns the first operand's index, or -1 with a message in error (FLAG_ERROR_MAX bytes). */
int flag_parse(const struct flag_table *table, void *options, int argc, char **argv, char *error);
/* The text of --help. */
void flag_print_help(const struct flag_table *table, FILE *to);
/* The flags as an mdoc list, one .It for each. */
void flag_print_mdoc(const struct flag_table *table, FILE *to);

#endif
