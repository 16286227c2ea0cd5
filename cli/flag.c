/* flag.c - command line flags as a table (see flag.h).
 *
 * getopt_long does the parsing; its structures are made from the rows, with the row's index as the value of a flag.
 */
#include "cli/flag.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/xassert.h"

#define FIRST_ROW 256 /* getopt's value for row 0: beyond every letter */

static bool
set_number(const struct flag *f, int64_t *field, const char *text, char *error)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || v < f->min || v > f->max) {
        snprintf(error, FLAG_ERROR_MAX, "--%s is '%.60s': must be a whole number from %lld to %lld", f->name, text,
                 (long long)f->min, (long long)f->max);
        return false;
    }
    *field = v;
    return true;
}

static bool
set_real(const struct flag *f, double *field, const char *text, char *error)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || !(v >= (double)f->min && v <= (double)f->max)) {
        snprintf(error, FLAG_ERROR_MAX, "--%s is '%.60s': must be a number from %lld to %lld", f->name, text, (long long)f->min,
                 (long long)f->max);
        return false;
    }
    *field = v;
    return true;
}

static bool
set(const struct flag *f, void *options, const char *text, char *error)
{
    void *field = (char *)options + f->field;
    switch (f->kind) {
    case FLAG_ON:
        *(bool *)field = true;
        return true;
    case FLAG_TEXT:
        *(const char **)field = text;
        return true;
    case FLAG_NUMBER:
        return set_number(f, field, text, error);
    case FLAG_REAL:
        return set_real(f, field, text, error);
    }
    never_reached("every kind of flag is above");
}

static void
set_defaults(const struct flag_table *table, void *options)
{
    char error[FLAG_ERROR_MAX];
    for (size_t i = 0; i < table->rows; i++)
        if (table->row[i].initial != NULL)
            xassert(set(&table->row[i], options, table->row[i].initial, error));
}

/* getopt's long and short descriptions. '+': parsing ends at the first operand; ':': a missing value is told apart. */
static void
describe(const struct flag_table *table, struct option *longs, char *shorts)
{
    xassert(table->rows < FLAG_ROWS_MAX);
    if (!table->anywhere)
        *shorts++ = '+';
    *shorts++ = ':';
    for (size_t i = 0; i < table->rows; i++) {
        const struct flag *f = &table->row[i];
        int argument = f->kind == FLAG_ON ? no_argument : required_argument;
        longs[i] = (struct option){ f->name, argument, NULL, FIRST_ROW + (int)i };
        if (f->letter == 0)
            continue;
        *shorts++ = f->letter;
        if (argument == required_argument)
            *shorts++ = ':';
    }
    longs[table->rows] = (struct option){ 0 };
    *shorts = '\0';
}

static const struct flag *
row_of(const struct flag_table *table, int opt)
{
    if (opt >= FIRST_ROW)
        return &table->row[opt - FIRST_ROW];
    for (size_t i = 0; i < table->rows; i++)
        if (table->row[i].letter == opt)
            return &table->row[i];
    never_reached("getopt knows only the table's letters");
}

int
flag_parse(const struct flag_table *table, void *options, int argc, char **argv, char *error)
{
    struct option longs[FLAG_ROWS_MAX];
    char shorts[3 * FLAG_ROWS_MAX];
    int opt;
    describe(table, longs, shorts);
    set_defaults(table, options);
    opterr = 0;
    optind = 0; /* glibc: start anew, also in a second call */
    while ((opt = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (opt == '?' || opt == ':') {
            snprintf(error, FLAG_ERROR_MAX, opt == ':' ? "%.60s needs a value; see --help" : "unknown option %.60s; see --help",
                     argv[optind - 1]);
            return -1;
        }
        if (!set(row_of(table, opt), options, optarg, error))
            return -1;
    }
    return optind;
}

void
flag_print_help(const struct flag_table *table, FILE *to)
{
    fprintf(to, "%s - %s\n\nusage: %s [options]%s%s\n\n", table->program, table->summary, table->program,
            *table->operands != '\0' ? " " : "", table->operands);
    for (size_t i = 0; i < table->rows; i++) {
        const struct flag *f = &table->row[i];
        char head[64], letter[8] = "    ";
        if (f->letter != 0)
            snprintf(letter, sizeof letter, "-%c, ", f->letter);
        snprintf(head, sizeof head, "%s--%s%s%s", letter, f->name, f->value != NULL ? " " : "", f->value != NULL ? f->value : "");
        fprintf(to, "  %-28s %s", head, f->help);
        if (f->initial != NULL)
            fprintf(to, " (default %s)", f->initial);
        fputc('\n', to);
    }
}

/* Text for a page: a backslash is an escape there, a dot or quote at the front a request. */
static void
print_page_text(const char *text, FILE *to)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", to);
    for (; *text != '\0'; text++)
        fputs(*text == '\\' ? "\\e" : (char[]){ *text, '\0' }, to);
}

void
flag_print_mdoc(const struct flag_table *table, FILE *to)
{
    fputs(".Bl -tag -width Ds\n", to);
    for (size_t i = 0; i < table->rows; i++) {
        const struct flag *f = &table->row[i];
        fputs(".It ", to);
        if (f->letter != 0)
            fprintf(to, "Fl %c , ", f->letter);
        fprintf(to, "Fl -%s", f->name);
        if (f->value != NULL)
            fprintf(to, " Ar %s", f->value);
        fputc('\n', to);
        print_page_text(f->help, to);
        if (f->initial != NULL)
            fprintf(to, "\n(default\n.Cm %s ) .\n", f->initial);
        else
            fputs(".\n", to);
    }
    fputs(".El\n", to);
}
