/* export.c - kvstash-cli export (see export.h): items from a source (source.h) through the filter into a sink (sink.h). */
#include "cli/export.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/interrupt.h"
#include "cli/plain.h"
#include "cli/sink.h"
#include "cli/source.h"

#define TOLD_MAX 10u /* of what is left out, in words; more are only counted */

enum { EXIT_USAGE = 2 };

struct export {
    struct filter filter;
    struct source *source;
    struct sink *sink;
    char source_error[SOURCE_ERROR_MAX], sink_error[SINK_ERROR_MAX];
    struct progress progress;
    uint64_t items, keys, functions, commands, filtered, refused;
};

static void
refuse(struct export *e, const struct item *item, const char *why)
{
    if (++e->refused <= TOLD_MAX) {
        progress_end(&e->progress);
        if (item != NULL && item->kind == ITEM_KEY)
            plain_printf(stderr, "kvstash-cli: left out: key '%.*s' in database %" PRIu64 ": %s\n", (int)(item->key.len < 100 ? item->key.len : 100),
                    item->key.data, item->db, why);
        else
            plain_printf(stderr, "kvstash-cli: left out: %s\n", why);
    }
}

/* False: the sink failed. */
static bool
put(struct export *e, const struct item *item)
{
    if (!filter_takes(&e->filter, item)) {
        e->filtered++;
        return true;
    }
    switch (e->sink->put(e->sink, item)) {
    case SINK_TAKEN:
        e->keys += item->kind == ITEM_KEY;
        e->functions += item->kind == ITEM_FUNCTION;
        e->commands += item->kind == ITEM_COMMAND;
        return true;
    case SINK_REFUSED:
        refuse(e, item, e->sink_error);
        return true;
    case SINK_FAILED:
        return false;
    }
    return false;
}

/* All items. NULL, or the sentence that ended it too early. */
static const char *
run(struct export *e)
{
    struct item item = { 0 };
    for (;;) {
        switch (e->source->next(e->source, &item)) {
        case SOURCE_END:
            return NULL;
        case SOURCE_FAILED:
            return e->source->error;
        case SOURCE_SKIPPED:
            refuse(e, NULL, e->source->error);
            continue;
        case SOURCE_ITEM:
            break;
        }
        if (item.kind == ITEM_COMMAND && filter_wants_keys(&e->filter))
            return "a log's commands cannot be told by key or type: let a server load the log, and export from there";
        if (!put(e, &item))
            return e->sink_error;
        if (interrupt_seen())
            return "interrupted";
        progress_at(&e->progress, e->source->unit == PROGRESS_KEYS ? ++e->items : item.place, NULL);
    }
}

static void
tell(const struct export *e, const char *path)
{
    plain_printf(stderr, "%s: %" PRIu64 " keys", path, e->keys);
    if (e->functions > 0)
        plain_printf(stderr, ", %" PRIu64 " function libraries", e->functions);
    if (e->commands > 0)
        plain_printf(stderr, ", %" PRIu64 " commands", e->commands);
    if (e->filtered > 0)
        plain_printf(stderr, "; %" PRIu64 " not asked for", e->filtered);
    if (e->refused > 0)
        plain_printf(stderr, "; %" PRIu64 " could not be exported", e->refused);
    fputc('\n', stderr);
    if (e->source->warning[0] != '\0')
        plain_printf(stderr, "kvstash-cli: %s\n", e->source->warning);
}

static int
run_between(struct export *e, const char *path)
{
    const char *why = run(e);
    progress_end(&e->progress);
    if (why != NULL) {
        e->sink->abandon(e->sink);
        plain_printf(stderr, "kvstash-cli: %s; %s was not written\n", why, path);
        return EXIT_FAILURE;
    }
    if (!e->sink->finish(e->sink)) {
        plain_printf(stderr, "kvstash-cli: %s\n", e->sink_error);
        return EXIT_FAILURE;
    }
    tell(e, path);
    return e->refused > 0 || e->source->warning[0] != '\0' ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
export_main(const struct tool_options *o, int count, char **paths)
{
    struct export e = { 0 };
    struct link_address address = cli_address(&o->at);
    char error[FLAG_ERROR_MAX];
    (void)count;
    if (!sink_has(o->format)) {
        plain_printf(stderr, "kvstash-cli export: --format is '%s': must be rdb, aof, json or resp\n", o->format);
        return EXIT_USAGE;
    }
    if (!filter_make(&e.filter, o, error)) {
        plain_printf(stderr, "kvstash-cli export: %s\n", error);
        return EXIT_USAGE;
    }
    e.source = o->from != NULL ? source_open(o->from, true, e.source_error)
                               : source_open_server(&address, &e.filter, o->scan_count, e.source_error);
    if (e.source == NULL) {
        plain_printf(stderr, "kvstash-cli: %s\n", e.source_error);
        return EXIT_FAILURE;
    }
    int status = EXIT_FAILURE;
    e.sink = sink_open(o->format, paths[0], e.sink_error);
    if (e.sink == NULL) {
        plain_printf(stderr, "kvstash-cli: %s\n", e.sink_error);
    } else {
        interrupt_catch();
        progress_begin(&e.progress, "export", e.source->unit, 0, e.source->total, o->quiet);
        status = run_between(&e, paths[0]);
    }
    source_close(e.source);
    return status;
}
