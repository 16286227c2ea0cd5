/* boot.c - the decision from where to start (see boot.h).
 *
 * Nothing here looks at a disk or a region: survey.h and region_open.h have gathered the facts. Each source has a function that says
 * whether it is to be taken and why, and they are asked in their order; so every choice stands in one place with its words for the log.
 */
#include "master/boot.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static void
say(struct boot_choice *c, enum boot_what what, const char *format, ...)
{
    va_list ap;
    c->what = what;
    va_start(ap, format);
    vsnprintf(c->text, sizeof c->text, format, ap);
    va_end(ap);
}

__attribute__((format(printf, 2, 3))) static void
warn(struct boot_choice *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(c->warning, sizeof c->warning, format, ap);
    va_end(ap);
}

/* The directory's files, by rank. */
#define FILES 3u
static const struct survey_file *
file_of(const struct boot_facts *f, unsigned i)
{
    const struct survey *s = f->files;
    return i == 0 ? &s->log : i == 1 ? &s->log_old : &s->rdb;
}

/* How new a file is, in words. */
static const char *
age(const struct survey_file *f, char text[128])
{
    if (f->ours)
        snprintf(text, 128, "lineage %02x%02x%02x%02x, ticket %lu", f->lineage[0], f->lineage[1], f->lineage[2], f->lineage[3],
            (unsigned long)f->ticket);
    else
        snprintf(text, 128, "written by another program: it tells no ticket");
    return text;
}

static const char *
region_age(const struct region_found *r, char text[128])
{
    snprintf(text, 128, "lineage %02x%02x%02x%02x, ticket %lu", r->lineage[0], r->lineage[1], r->lineage[2], r->lineage[3],
        (unsigned long)r->ticket);
    return text;
}

static void
load(struct boot_choice *c, enum loading_source source, const struct survey_file *f, const char *why)
{
    char text[128];
    c->source = source;
    c->path = f->path;
    c->bytes = f->bytes;
    say(c, BOOT_LOAD, "starting from %s (%s): %s", f->path, age(f, text), why);
}

/* ---- with a region ----------------------------------------------------------------------------------------------------------- */

/* Does the file hold changes that the region lacks? */
static bool
is_newer(const struct survey_file *f, const struct region_found *r)
{
    return f->there && f->ours && memcmp(f->lineage, r->lineage, 16) == 0 && f->ticket > r->ticket;
}

static const struct survey_file *
newer_file(const struct boot_facts *f)
{
    for (unsigned i = 0; i < FILES; i++)
        if (is_newer(file_of(f, i), &f->region))
            return file_of(f, i);
    return NULL;
}

static void
attach(struct boot_choice *c, const struct boot_facts *f)
{
    const struct region_found *r = &f->region;
    const struct survey_file *newer = newer_file(f);
    char mine[128], other[128];
    if (newer) {
        say(c, BOOT_REFUSE, "%s holds changes that the region %s lacks (file: %s; region: %s); to go on with the file say --restore-from %s, to "
                            "go on with the region move the file away", newer->path, r->path, age(newer, other), region_age(r, mine), newer->path);
        return;
    }
    say(c, BOOT_ATTACH, "starting from the region %s (%s): it is the newest", r->path, region_age(r, mine));
    const struct survey_file *file = f->appendonly && f->files->log.there ? &f->files->log : &f->files->rdb;
    if (file->there && !file->ours && !file->why[0])
        warn(c, "%s is not loaded, because the region is alive; --restore-from %s would take it instead", file->path, file->path);
}

/* ---- from files ------------------------------------------------------------------------------------------------------------------ */

static void
from_log(struct boot_choice *c, const struct boot_facts *f)
{
    const struct survey *s = f->files;
    const struct survey_file *bad = s->log.why[0] ? &s->log : !s->log.there && s->log_old.why[0] ? &s->log_old : NULL;
    if (bad) {
        say(c, BOOT_REFUSE, "%s", bad->why);
    } else if (s->log.there) {
        load(c, LOADING_AOF, &s->log, "appendonly is yes, and there is no live region");
    } else if (s->log_old.there) {
        load(c, LOADING_AOF, &s->log_old, "appendonly is yes; this file of the old form becomes the base of a log of many files");
        c->upgrade = true;
        c->path = s->log.path;
    } else {
        say(c, BOOT_EMPTY, "starting empty: appendonly is yes, and there is neither a live region nor a log");
        if (s->rdb.there)
            warn(c, "%s is there and is NOT loaded, because appendonly is yes (as with Redis 7.0); to take its data stop the server and start "
                    "once with --restore-from %s", s->rdb.path, s->rdb.path);
    }
}

static void
from_snapshot(struct boot_choice *c, const struct boot_facts *f)
{
    const struct survey *s = f->files;
    if (s->rdb.why[0]) {
        say(c, BOOT_REFUSE, "%s", s->rdb.why);
        return;
    }
    if (s->rdb.there)
        load(c, LOADING_RDB, &s->rdb, "there is no live region, and appendonly is no");
    else
        say(c, BOOT_EMPTY, "starting empty: there is neither a live region nor the snapshot %s", s->rdb.path);
    if (s->log.there)
        warn(c, "the log %s is there and is not loaded, because appendonly is no", s->log.path);
}

static void
from_named(struct boot_choice *c, const struct boot_facts *f)
{
    char mine[128];
    if (f->forced == LOADING_NOTHING) {
        say(c, BOOT_REFUSE, "--restore-from: %s", f->named->why);
        return;
    }
    load(c, f->forced, f->named, "--restore-from names it");
    c->remove_region = f->region.state != REGION_FOUND_NONE;
    if (f->region.state == REGION_FOUND_VALID)
        warn(c, "the region %s (%s) is given up for it", f->region.path, region_age(&f->region, mine));
}

/* A file that cannot be read is told of also if the start can do without it. */
static void
warn_of_unreadable(struct boot_choice *c, const struct boot_facts *f)
{
    for (unsigned i = 0; i < FILES && !c->warning[0]; i++)
        if (file_of(f, i)->why[0])
            warn(c, "not looked at for this start: %s", file_of(f, i)->why);
}

void
boot_decide(struct boot_choice *c, const struct boot_facts *f)
{
    memset(c, 0, sizeof *c);
    if (f->named)
        from_named(c, f);
    else if (f->region.state == REGION_FOUND_VALID)
        attach(c, f);
    else if (f->region.state == REGION_FOUND_USELESS)
        say(c, BOOT_REFUSE, "%s", f->region.why);
    else if (f->appendonly)
        from_log(c, f);
    else
        from_snapshot(c, f);
    if (c->what != BOOT_REFUSE)
        warn_of_unreadable(c, f);
}
