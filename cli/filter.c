/* filter.c - which keys export and import take (see filter.h). */
#include "cli/filter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/glob.h"
#include "format/rdb_form.h"

#define FAMILIES (RDB_MODULE + 1)

/* Calls for each word between commas; false: it said so. */
typedef bool word_fn(void *to, const char *word, size_t n);

static bool
each_word(const char *text, word_fn *fn, void *to)
{
    for (;;) {
        size_t n = strcspn(text, ",");
        if (!fn(to, text, n))
            return false;
        if (text[n] == '\0')
            return true;
        text += n + 1;
    }
}

static bool
add_type(void *to, const char *word, size_t n)
{
    for (unsigned f = 0; f < FAMILIES; f++) {
        const char *name = rdb_family_name((enum rdb_family)f);
        if (strlen(name) == n && memcmp(name, word, n) == 0) {
            *(unsigned *)to |= 1u << f;
            return true;
        }
    }
    return false;
}

static bool
add_db(void *to, const char *word, size_t n)
{
    struct filter_set *set = to;
    char *end;
    if (n == 0 || n > 9 || set->count == FILTER_DATABASES_MAX || *word < '0' || *word > '9')
        return false;
    set->db[set->count++] = strtoul(word, &end, 10);
    return end == word + n;
}

static bool
fill_types(unsigned *types, const char *flag, const char *text, char *error)
{
    if (text == NULL || each_word(text, add_type, types))
        return true;
    snprintf(error, FLAG_ERROR_MAX, "--%s is '%.60s': must be types out of string, list, set, zset, hash, stream, module", flag, text);
    return false;
}

static bool
fill_set(struct filter_set *set, const char *flag, const char *text, char *error)
{
    set->given = text != NULL;
    if (text == NULL || each_word(text, add_db, set))
        return true;
    snprintf(error, FLAG_ERROR_MAX, "--%s is '%.60s': must be numbers of databases, at most %u", flag, text, FILTER_DATABASES_MAX);
    return false;
}

bool
filter_make(struct filter *f, const struct tool_options *o, char *error)
{
    *f = (struct filter){ .match = o->match, .no_match = o->no_match };
    return fill_types(&f->types, "type", o->type, error) && fill_types(&f->no_types, "no-type", o->no_type, error) &&
           fill_set(&f->db, "db", o->db, error) && fill_set(&f->no_db, "no-db", o->no_db, error);
}

static bool
holds(const struct filter_set *set, uint64_t db)
{
    for (unsigned i = 0; i < set->count; i++)
        if (set->db[i] == db)
            return true;
    return false;
}

bool
filter_takes_db(const struct filter *f, uint64_t db)
{
    return (!f->db.given || holds(&f->db, db)) && !holds(&f->no_db, db);
}

bool
filter_takes_key(const struct filter *f, const char *key, size_t n)
{
    return (f->match == NULL || glob_match(f->match, strlen(f->match), key, n)) &&
           (f->no_match == NULL || !glob_match(f->no_match, strlen(f->no_match), key, n));
}

static bool
takes_type(const struct filter *f, unsigned form)
{
    const struct rdb_form_row *row = rdb_form(form);
    unsigned bit = row == NULL ? 0 : 1u << row->family;
    return (f->types == 0 || (f->types & bit) != 0) && (f->no_types & bit) == 0;
}

bool
filter_wants_types(const struct filter *f)
{
    return f->types != 0 || f->no_types != 0;
}

bool
filter_wants_names(const struct filter *f)
{
    return f->match != NULL || f->no_match != NULL;
}

bool
filter_wants_keys(const struct filter *f)
{
    return filter_wants_names(f) || filter_wants_types(f);
}

const char *
filter_one_type(const struct filter *f)
{
    for (unsigned i = 0; i < RDB_MODULE; i++)
        if (f->types == 1u << i)
            return rdb_family_name((enum rdb_family)i);
    return NULL;
}

bool
filter_is_bracket(const struct item *item)
{
    return item->argc == 1 && item->multi &&
           ((item->argv[0].len == 5 && strncasecmp(item->argv[0].data, "multi", 5) == 0) ||
            (item->argv[0].len == 4 && strncasecmp(item->argv[0].data, "exec", 4) == 0));
}

bool
filter_takes(const struct filter *f, const struct item *item)
{
    switch (item->kind) {
    case ITEM_KEY:
        return filter_takes_db(f, item->db) && filter_takes_key(f, item->key.data, item->key.len) && takes_type(f, item->form);
    case ITEM_FUNCTION:
        return !filter_wants_keys(f) && !f->db.given;
    case ITEM_COMMAND: /* a transaction may lie in several databases */
        return filter_is_bracket(item) || filter_takes_db(f, item->db);
    }
    return false;
}
