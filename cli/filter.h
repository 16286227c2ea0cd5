/* filter.h - which keys export and import take: --match, --type, --db and their opposites.
 *
 * Process: kvstash-cli. Fails: a mistake of the user is a sentence.
 */
#ifndef KVSTASH_CLI_FILTER_H
#define KVSTASH_CLI_FILTER_H

#include "cli/item.h"
#include "cli/tool_options.h"

#define FILTER_DATABASES_MAX 64u

/* Some databases. */
struct filter_set {
    bool given;
    unsigned count;
    uint64_t db[FILTER_DATABASES_MAX];
};

struct filter {
    const char *match, *no_match; /* patterns, or NULL */
    unsigned types, no_types;     /* bits of enum rdb_family; types 0: all */
    struct filter_set db, no_db;
};

/* False with a sentence in error (FLAG_ERROR_MAX bytes). */
bool filter_make(struct filter *f, const struct tool_options *o, char *error);
bool filter_takes_db(const struct filter *f, uint64_t db);
bool filter_takes_key(const struct filter *f, const char *key, size_t n);
/* The name of the one type that is asked for; NULL: all, several, or a module's. */
const char *filter_one_type(const struct filter *f);
/* By database, key and type. Commands: by their database only, MULTI and EXEC always. Libraries of functions: if no key is asked for by name or type. */
bool filter_takes(const struct filter *f, const struct item *item);
/* Does it ask for keys by name or type? By type? By name? */
bool filter_wants_keys(const struct filter *f);
bool filter_wants_types(const struct filter *f);
bool filter_wants_names(const struct filter *f);
/* Is a command MULTI or EXEC? */
bool filter_is_bracket(const struct item *item);

#endif
