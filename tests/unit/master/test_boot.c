/* test_boot.c - from where a start takes its data: every combination of a region, a log and a snapshot. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "master/boot.h"

/* What a region is; its last ticket is 100. */
enum region { NO_REGION, LIVE, USELESS, REGIONS };
/* What a file is, compared with a region that is at ticket 100. */
enum file { ABSENT, OLDER, EQUAL, NEWER, STRANGE, FOREIGN, DAMAGED, FILES };

static const char *const region_names[] = {"no region", "live region", "useless region"};
static const char *const file_names[] = {"absent", "older", "equal", "newer", "of another lineage", "of another program", "damaged"};

static struct boot_choice choice;
static struct survey survey;

static void
make_file(struct survey_file *f, enum file what, const char *path)
{
    memset(f, 0, sizeof *f);
    snprintf(f->path, sizeof f->path, "%s", path);
    f->there = what != ABSENT;
    f->ours = what == OLDER || what == EQUAL || what == NEWER || what == STRANGE;
    memset(f->lineage, what == STRANGE ? 2 : 1, sizeof f->lineage);
    f->ticket = what == OLDER ? 90 : what == EQUAL ? 100 : what == FOREIGN ? 0 : 110;
    f->bytes = 1000;
    if (what == DAMAGED)
        snprintf(f->why, sizeof f->why, "%s: damaged at byte 7; remedy", path);
}

static struct boot_facts
facts(enum region region, enum file log, enum file rdb, bool appendonly)
{
    struct boot_facts f = {.appendonly = appendonly, .files = &survey};
    memset(&survey, 0, sizeof survey);
    make_file(&survey.log, log, "/d/appendonlydir/appendonly.aof.manifest");
    make_file(&survey.log_old, ABSENT, "/d/appendonly.aof");
    make_file(&survey.rdb, rdb, "/d/dump.rdb");
    f.region.state = region == LIVE ? REGION_FOUND_VALID : region == USELESS ? REGION_FOUND_USELESS : REGION_FOUND_NONE;
    f.region.ticket = 100;
    memset(f.region.lineage, 1, sizeof f.region.lineage);
    strcpy(f.region.path, "/dev/shm/r");
    strcpy(f.region.why, "the region /dev/shm/r is of no use; remedy");
    return f;
}

/* What must come out, in the words of the rules. */
static enum boot_what
expected(enum region region, enum file log, enum file rdb, bool appendonly, enum loading_source *source)
{
    enum file used = appendonly ? log : rdb;
    *source = LOADING_NOTHING;
    if (region == USELESS)
        return BOOT_REFUSE;
    if (region == LIVE)
        return log == NEWER || rdb == NEWER ? BOOT_REFUSE : BOOT_ATTACH;
    if (used == DAMAGED)
        return BOOT_REFUSE;
    if (used == ABSENT)
        return BOOT_EMPTY;
    *source = appendonly ? LOADING_AOF : LOADING_RDB;
    return BOOT_LOAD;
}

Test(boot, every_combination)
{
    unsigned n = 0;
    for (int region = 0; region < REGIONS; region++) {
        for (int log = 0; log < FILES; log++) {
            for (int rdb = 0; rdb < FILES; rdb++) {
                for (int appendonly = 0; appendonly < 2; appendonly++, n++) {
                    enum loading_source source;
                    enum boot_what want = expected(region, log, rdb, appendonly, &source);
                    struct boot_facts f = facts(region, log, rdb, appendonly);
                    boot_decide(&choice, &f);
                    cr_assert_eq(choice.what, want, "%s, log %s, snapshot %s, appendonly %d: %d, wanted %d: %s", region_names[region],
                        file_names[log], file_names[rdb], appendonly, choice.what, want, choice.text);
                    cr_assert_eq(choice.source, source);
                    cr_assert_neq(choice.text[0], '\0');
                    if (choice.what == BOOT_LOAD)
                        cr_assert_str_eq(choice.path, appendonly ? survey.log.path : survey.rdb.path);
                }
            }
        }
    }
    cr_assert_eq(n, REGIONS * FILES * FILES * 2);
}

/* A refusal names the file, the region, both tickets, and what to do. */
Test(boot, newer_file_is_told)
{
    struct boot_facts f = facts(LIVE, ABSENT, NEWER, false);
    boot_decide(&choice, &f);
    const char *const parts[] = {"/d/dump.rdb", "/dev/shm/r", "ticket 110", "ticket 100", "--restore-from"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        cr_assert(strstr(choice.text, parts[i]), "%s is not in: %s", parts[i], choice.text);
}

/* Redis 7.0 starts empty with appendonly yes and a snapshot alone; so does kv-stash, and says so. */
Test(boot, snapshot_is_left_alone_with_appendonly)
{
    struct boot_facts f = facts(NO_REGION, ABSENT, OLDER, true);
    boot_decide(&choice, &f);
    cr_assert_eq(choice.what, BOOT_EMPTY);
    cr_assert(strstr(choice.warning, "/d/dump.rdb"));
}

/* What cannot be read is told, though the region is taken. */
Test(boot, unreadable_file_is_told)
{
    struct boot_facts f = facts(LIVE, DAMAGED, OLDER, true);
    boot_decide(&choice, &f);
    cr_assert_eq(choice.what, BOOT_ATTACH);
    cr_assert(strstr(choice.warning, "/d/appendonlydir/appendonly.aof.manifest: damaged at byte 7"), "%s", choice.warning);
}

Test(boot, old_log_is_upgraded)
{
    struct boot_facts f = facts(NO_REGION, ABSENT, OLDER, true);
    make_file(&survey.log_old, FOREIGN, "/d/appendonly.aof");
    boot_decide(&choice, &f);
    cr_assert_eq(choice.what, BOOT_LOAD);
    cr_assert_eq(choice.source, LOADING_AOF);
    cr_assert(choice.upgrade);
    cr_assert_str_eq(choice.path, survey.log.path);
    make_file(&survey.log, FOREIGN, "/d/appendonlydir/appendonly.aof.manifest");
    boot_decide(&choice, &f);
    cr_assert(!choice.upgrade);
}

/* --restore-from is above everything; a region that is there gives way. */
Test(boot, named_file)
{
    static struct survey_file named;
    for (int region = 0; region < REGIONS; region++) {
        struct boot_facts f = facts(region, DAMAGED, NEWER, true);
        make_file(&named, OLDER, "/backup/x.rdb");
        f.named = &named;
        f.forced = LOADING_RDB;
        boot_decide(&choice, &f);
        cr_assert_eq(choice.what, BOOT_LOAD);
        cr_assert_eq(choice.source, LOADING_RDB);
        cr_assert_str_eq(choice.path, "/backup/x.rdb");
        cr_assert_eq(choice.remove_region, region != NO_REGION);
        f.forced = LOADING_NOTHING;
        boot_decide(&choice, &f);
        cr_assert_eq(choice.what, BOOT_REFUSE);
        make_file(&named, DAMAGED, "/backup/x.rdb");
        boot_decide(&choice, &f);
        cr_assert(strstr(choice.text, "/backup/x.rdb"));
    }
}
