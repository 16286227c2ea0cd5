/* import.c - kvstash-cli import (see import.h): items from a source (source.h) through the filter to the server (import_pipe.h).
 *
 * An end by a signal, by the server or by the connection leaves a state file (import_state.h), with which --resume goes on; so
 * does kill -9. When all is done the file goes.
 */
#include "cli/import.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command_filter.h"
#include "cli/import_pipe.h"
#include "cli/interrupt.h"
#include "cli/plain.h"
#include "cli/source.h"

enum { EXIT_USAGE = 2 };

struct import {
    const struct tool_options *o;
    const char *path;
    char rejects[PATH_MAX];
    struct filter filter;
    struct source *source;
    struct import_state state;
    struct import_pipe pipe;
    struct command_filter commands;
    struct progress progress;
    uint64_t resume_at, filtered, unreadable;
    int64_t begun_ns;
};

/* ---- the run -------------------------------------------------------------------------------------------------------------------- */

/* A command of a log, if all its keys are asked for. */
static bool
take_command(struct import *m, const struct item *item, const char **why)
{
    struct link_address address = cli_address(&m->o->at);
    if (filter_wants_types(&m->filter)) {
        *why = "a log's commands cannot be told by type: leave --type out, or let a server load the log and export from there";
        return false;
    }
    if (!filter_wants_names(&m->filter) || filter_is_bracket(item))
        return import_pipe_put(&m->pipe, item);
    switch (command_filter_match(&m->commands, &address, &m->filter, item)) {
    case COMMAND_FILTER_TAKEN:
        return import_pipe_put(&m->pipe, item);
    case COMMAND_FILTER_LEFT:
        m->filtered++;
        return true;
    case COMMAND_FILTER_BETWEEN:
        return import_pipe_reject(&m->pipe, item, "a part of its keys only is asked for, or it has none and touches all");
    case COMMAND_FILTER_LOST:
        *why = m->commands.error;
        return false;
    }
    return false;
}

/* One item, or a line that cannot be read. False: the end, with *why, or NULL if all is done. */
static bool
take(struct import *m, struct item *item, const char **why)
{
    enum source_result result = m->source->next(m->source, item);
    *why = result == SOURCE_FAILED ? m->source->error : result == SOURCE_END ? NULL : m->pipe.error;
    if (result == SOURCE_END || result == SOURCE_FAILED)
        return false;
    if (item->place <= m->resume_at)
        return true;
    if (result == SOURCE_SKIPPED) {
        m->unreadable++;
        return import_pipe_reject(&m->pipe, NULL, m->source->error);
    }
    if (!filter_takes(&m->filter, item)) {
        m->filtered++;
        return true;
    }
    return item->kind == ITEM_COMMAND ? take_command(m, item, why) : import_pipe_put(&m->pipe, item);
}

/* NULL: all is done. */
static const char *
run(struct import *m)
{
    struct item item = { 0 };
    const char *why = NULL;
    char extra[64];
    while (take(m, &item, &why)) {
        snprintf(extra, sizeof extra, "%" PRIu64 " keys", m->pipe.counts.keys);
        progress_at(&m->progress, item.place, extra);
        if (interrupt_seen()) {
            import_pipe_drain(&m->pipe);
            return "interrupted";
        }
    }
    if (!m->pipe.stopped && !import_pipe_drain(&m->pipe) && why == NULL)
        why = m->pipe.error;
    return why;
}

/* ---- what is told --------------------------------------------------------------------------------------------------------------- */

static void
tell_number(uint64_t number, const char *what)
{
    if (number > 0)
        plain_printf(stderr, "  %" PRIu64 " %s\n", number, what);
}

static void
tell(const struct import *m)
{
    const struct import_counts *c = &m->pipe.counts;
    double seconds = (double)(clock_ns() - m->begun_ns) / 1e9;
    plain_printf(stderr, "%s: %" PRIu64 " keys", m->path, c->keys);
    if (c->functions > 0)
        plain_printf(stderr, ", %" PRIu64 " function libraries", c->functions);
    if (c->commands > 0)
        plain_printf(stderr, ", %" PRIu64 " commands", c->commands);
    plain_printf(stderr, " in %.1f s (%.0f/s)\n", seconds, (double)(c->keys + c->commands) / (seconds > 0.001 ? seconds : 0.001));
    tell_number(c->existing, m->o->skip_existing ? "left out: the key exists" : "rejected: the key exists");
    tell_number(c->rejected - (m->o->skip_existing ? 0 : c->existing) - m->unreadable, "rejected by the server");
    tell_number(m->unreadable, "cannot be read");
    tell_number(c->expired, "left out: expired already");
    tell_number(m->filtered, "left out: not asked for");
    tell_number(c->doubtful, "were sent by an earlier run that did not see the reply: keys are there, commands were applied once or twice");
    if (c->rejected > 0)
        plain_printf(stderr, "  what was rejected, and why, is in %s\n", m->rejects);
    if (m->source->warning[0] != '\0')
        plain_printf(stderr, "kvstash-cli: %s\n", m->source->warning);
}

static int
end(struct import *m, const char *why)
{
    progress_end(&m->progress);
    if (why != NULL)
        plain_printf(stderr, "kvstash-cli: %s\nkvstash-cli: the import is not complete; `kvstash-cli import --resume` with the same file goes on\n", why);
    tell(m);
    bool complete = why == NULL && m->pipe.counts.rejected == 0 && m->source->warning[0] == '\0';
    return complete ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- beginning -------------------------------------------------------------------------------------------------------------------- */

static void
name_beside(char name[PATH_MAX], const char *given, const char *path, const char *end_of_name)
{
    if (given != NULL)
        snprintf(name, PATH_MAX, "%s", given);
    else
        snprintf(name, PATH_MAX, "%.*s%s", PATH_MAX - 32, path, end_of_name);
}

static int
import(struct import *m)
{
    char state[PATH_MAX], error[FILE_MAP_ERROR_MAX];
    name_beside(state, m->o->state, m->path, ".import-state");
    name_beside(m->rejects, m->o->rejects, m->path, ".import-rejects");
    if (!import_state_open(&m->state, state, m->source->fingerprint, m->o->resume, error)) {
        plain_printf(stderr, "kvstash-cli: %s\n", error);
        return EXIT_FAILURE;
    }
    if (!m->o->resume)
        unlink(m->rejects); /* of an earlier import */
    m->resume_at = m->state.done;
    m->begun_ns = clock_ns();
    int status = EXIT_FAILURE;
    bool finished = !m->o->resume; /* nothing to go on with if nothing begins */
    if (import_pipe_begin(&m->pipe, m->o, &m->state, m->rejects)) {
        progress_begin(&m->progress, "import", PROGRESS_BYTES, m->resume_at, m->source->total, m->o->quiet);
        const char *why = run(m);
        import_state_write(&m->state);
        status = end(m, why);
        finished = why == NULL;
    } else {
        plain_printf(stderr, "kvstash-cli: %s\n", m->pipe.error);
    }
    import_pipe_end(&m->pipe);
    command_filter_close(&m->commands);
    import_state_close(&m->state, finished);
    return status;
}

int
import_main(const struct tool_options *o, int count, char **paths)
{
    struct import m = { .o = o, .path = paths[0] };
    char error[SOURCE_ERROR_MAX];
    (void)count;
    if (o->replace && o->skip_existing) {
        plain_printf(stderr, "kvstash-cli import: --replace and --skip-existing exclude each other\n");
        return EXIT_USAGE;
    }
    if (!filter_make(&m.filter, o, error)) {
        plain_printf(stderr, "kvstash-cli import: %s\n", error);
        return EXIT_USAGE;
    }
    m.source = source_open(paths[0], false, error);
    if (m.source == NULL) {
        plain_printf(stderr, "kvstash-cli: %s\n", error);
        return EXIT_FAILURE;
    }
    interrupt_catch();
    int status = import(&m);
    source_close(m.source);
    return status;
}
