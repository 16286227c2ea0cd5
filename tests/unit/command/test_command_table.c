/* test_command_table.c - the command table holds together: names, index, key positions, arguments. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#include "command/cmd_rows.h"
#include "command/command_keys.h"
#include "command/command_table.h"
#include "command/help.h"

#define ARG_DEPTH_MAX 6

/* Calls visit for every row, subcommands too. */
static void
each_row(void (*visit)(const struct command_row *row, const struct command_row *container))
{
    for (const struct command_row *const *group = command_groups; *group; group++) {
        for (const struct command_row *row = *group; row->name; row++) {
            visit(row, NULL);
            for (const struct command_row *sub = row->subs; sub && sub->name; sub++)
                visit(sub, row);
        }
    }
}

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

static void
check_facts(const struct command_row *row, const struct command_row *container)
{
    for (const char *p = row->name; *p; p++)
        cr_assert(islower((unsigned char)*p) || strchr("-_|0123456789", *p), "%s", row->name);
    cr_assert_neq(row->arity, 0, "%s", row->name);
    cr_assert(row->group && row->since && row->summary, "%s", row->name);
    cr_assert(isupper((unsigned char)row->summary[0]) && row->summary[strlen(row->summary) - 1] == '.', "%s", row->name);
    cr_assert((row->flags & (CMD_WRITE | CMD_READONLY)) != (CMD_WRITE | CMD_READONLY), "%s", row->name);
    if (container) {
        size_t n = strlen(container->name);
        cr_assert(strncmp(row->name, container->name, n) == 0 && row->name[n] == '|', "%s", row->name);
        cr_assert_null(row->subs, "%s", row->name);
        cr_assert_str_eq(row->group, container->group);
    } else {
        cr_assert_null(strchr(row->name, '|'), "%s", row->name);
    }
    if (row->subs)
        cr_assert(row->subs->name && row->arity < 0 && !row->keys, "%s", row->name);
}

Test(command_table, facts)
{
    each_row(check_facts);
}

/* Rows that still wait for their functions; all others have one. */
static const char *const waiting[] = {"config|rewrite", "lolwut", "memory|doctor", "memory|malloc-stats", "memory|purge",
    "memory|stats"};

static void
check_function(const struct command_row *row, const struct command_row *container)
{
    (void)container;
    for (size_t i = 0; i < sizeof waiting / sizeof waiting[0]; i++)
        if (strcmp(row->name, waiting[i]) == 0)
            return;
    cr_assert(row->run || row->subs, "%s has no function", row->name);
}

Test(command_table, functions)
{
    each_row(check_function);
}

static void
check_sorted(const struct command_row *rows)
{
    for (const struct command_row *row = rows; row && row->name && row[1].name; row++)
        cr_assert_lt(strcmp(row->name, row[1].name), 0, "%s before %s", row->name, row[1].name);
}

Test(command_table, groups_are_sorted_and_names_unique)
{
    for (const struct command_row *const *group = command_groups; *group; group++) {
        check_sorted(*group);
        for (const struct command_row *row = *group; row->name; row++) {
            check_sorted(row->subs);
            cr_assert_str_eq(row->group, (*group)->group);
            for (const struct command_row *const *other = command_groups; *other != *group; other++)
                for (const struct command_row *r = *other; r->name; r++)
                    cr_assert_str_neq(r->name, row->name);
        }
    }
}

/* ---- keys ----------------------------------------------------------------------------------------------------------- */

static int
count_specs(const struct command_row *row)
{
    int n = 0;
    while (row->keys && row->keys[n].flags)
        n++;
    return n;
}

/* first, last and step say the same as the specifications, for whatever number of arguments. */
static void
check_positions(const struct command_row *row, const struct command_row *container)
{
    struct resp_arg argv[12];
    struct command_key found[24];
    (void)container;
    cr_assert_eq(row->first != 0, count_specs(row) > 0, "%s", row->name);
    if (row->flags & CMD_MOVABLE_KEYS)
        return;
    for (int i = 0; i < 12; i++)
        argv[i] = (struct resp_arg){.data = "x", .len = 1};
    for (int argc = 1; row->first && argc <= 12; argc++) {
        if (row->arity > 0 ? argc != row->arity : argc < -row->arity)
            continue;
        int n = command_keys_find(row, argc, argv, found, 24), last = row->last < 0 ? argc + row->last : row->last, k = 0;
        cr_assert_gt(n, 0, "%s with %d arguments", row->name, argc);
        for (int i = row->first; i <= last; i += row->step, k++)
            cr_assert(k < n && found[k].arg == i, "%s: key %d of %d arguments", row->name, k, argc);
        cr_assert_eq(k, n, "%s", row->name);
    }
}

Test(command_table, positions_are_those_of_the_specifications)
{
    each_row(check_positions);
}

static void
check_key_flags(const struct command_row *row, const struct command_row *container)
{
    bool variable = false;
    (void)container;
    for (const struct command_key_spec *spec = row->keys; spec && spec->flags; spec++) {
        variable |= (spec->flags & KEY_VARIABLE_FLAGS) != 0;
        cr_assert_eq(__builtin_popcount(spec->flags & (KEY_RO | KEY_RW | KEY_OW | KEY_RM)), 1, "%s", row->name);
        cr_assert(!(row->flags & CMD_READONLY) || (spec->flags & KEY_RO), "%s reads only", row->name);
    }
    cr_assert_eq(variable, row->key_flags != NULL, "%s", row->name);
}

Test(command_table, key_flags)
{
    each_row(check_key_flags);
}

/* Splits a line at blanks. */
static int
split(char *line, struct resp_arg argv[16])
{
    int n = 0;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        argv[n++] = (struct resp_arg){.data = word, .len = strlen(word)};
    return n;
}

/* The keys of a command line, with blanks between them. */
static void
expect_keys(const struct command_row *row, const char *command, const char *expected)
{
    char line[256], got[256] = "";
    struct resp_arg argv[16];
    struct command_key found[16];
    strcpy(line, command);
    int argc = split(line, argv), n = command_keys_find(row, argc, argv, found, 16);
    cr_assert_eq(command_keys_find(row, argc, argv, NULL, 0), n);
    for (int i = 0; i < n; i++) {
        strcat(got, *got ? " " : "");
        strncat(got, argv[found[i].arg].data, argv[found[i].arg].len);
    }
    cr_assert_str_eq(got, expected, "%s: %s", command, got);
}

/* Specifications that no present row has, as Redis gives them to ZUNIONSTORE, XREAD and MIGRATE. */
static const struct command_key_spec store_specs[] = {
    KEY_SPEC(1, 0, 1, KEY_OW),
    {.flags = KEY_RO, .begin = KEY_BEGIN_INDEX, .index = 2, .find = KEY_FIND_KEYNUM, .keynum_at = 0, .first = 1, .step = 1},
    {0},
};
static const struct command_key_spec streams_specs[] = {
    {.flags = KEY_RO, .begin = KEY_BEGIN_KEYWORD, .keyword = "STREAMS", .index = 1, .find = KEY_FIND_RANGE, .last = -1,
        .step = 1, .limit = 2},
    {0},
};
static const struct command_key_spec migrate_specs[] = {
    {.flags = KEY_RW, .begin = KEY_BEGIN_KEYWORD, .keyword = "KEYS", .index = -2, .find = KEY_FIND_RANGE, .last = -1, .step = 1},
    {0},
};
static const struct command_row zunionstore = {.name = "z", .keys = store_specs}, xread = {.name = "x", .keys = streams_specs},
                                migrate = {.name = "m", .keys = migrate_specs};

Test(command_keys, numbers_and_keywords)
{
    expect_keys(&zunionstore, "z d 2 a b weights 1 2", "d a b");
    expect_keys(&zunionstore, "z d 3 a b", "");
    expect_keys(&zunionstore, "z d 0 a b", "");
    expect_keys(&zunionstore, "z d -1 a b", "");
    expect_keys(&zunionstore, "z d 99999999999999999999 a", "");
    expect_keys(&zunionstore, "z d 9223372036854775807 a", "");
    expect_keys(&zunionstore, "z d x a b", "");
    expect_keys(&zunionstore, "z d", "");
    expect_keys(&xread, "x count 2 streams a b 0 0", "a b");
    expect_keys(&xread, "x count 2 STREAMS a 0", "a");
    expect_keys(&xread, "x count 2 streams", "");
    expect_keys(&xread, "x count 2 a b", "");
    expect_keys(&migrate, "m host 1 x 0 100 copy keys a b c", "a b c");
    expect_keys(&migrate, "m host 1 x 0 100 copy", "");
}

/* Whatever the arguments are, what is found are arguments, and a second look finds the same. */
static void
check_any_arguments(const struct command_row *row, const struct command_row *container)
{
    static const char *const words[] = {"0", "1", "2", "-1", "3", "99", "9223372036854775807", "get", "set", "overflow", "STREAMS",
        "KEYS", "", "x"};
    struct resp_arg argv[8];
    struct command_key found[64], again[64];
    uint64_t state = 88172645463325252u;
    (void)container;
    for (unsigned round = 0; round < 2000; round++) {
        int argc = 1 + (int)(round % 8);
        for (int i = 0; i < argc; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            const char *word = words[state % (sizeof words / sizeof words[0])];
            argv[i] = (struct resp_arg){.data = word, .len = strlen(word)};
        }
        int n = command_keys_find(row, argc, argv, found, 64);
        cr_assert(n >= 0 && n <= 2 * argc, "%s: %d keys", row->name, n);
        for (int i = 0; i < n; i++)
            cr_assert(found[i].arg > 0 && found[i].arg < argc && found[i].flags, "%s", row->name);
        cr_assert_eq(command_keys_find(row, argc, argv, again, 1), n);
        cr_assert(n == 0 || again[0].arg == found[0].arg);
    }
}

Test(command_keys, any_arguments)
{
    each_row(check_any_arguments);
    check_any_arguments(&zunionstore, NULL);
    check_any_arguments(&xread, NULL);
    check_any_arguments(&migrate, NULL);
}

/* ---- arguments -------------------------------------------------------------------------------------------------------- */

static void
check_args(const struct command_row *row, const struct command_arg *args, int depth)
{
    cr_assert(args->name && depth < ARG_DEPTH_MAX, "%s", row->name);
    for (const struct command_arg *a = args; a->name; a++) {
        bool compound = a->type == ARG_ONEOF || a->type == ARG_BLOCK;
        cr_assert_eq(compound, a->args != NULL, "%s: %s", row->name, a->name);
        cr_assert(a->type != ARG_PURE_TOKEN || a->token, "%s: %s", row->name, a->name);
        cr_assert(a->type != ARG_KEY || a->key_spec < count_specs(row), "%s: %s", row->name, a->name);
        cr_assert(!(a->flags & ARG_MULTIPLE_TOKEN) || a->token, "%s: %s", row->name, a->name);
        if (compound)
            check_args(row, a->args, depth + 1);
    }
}

static void
check_row_args(const struct command_row *row, const struct command_row *container)
{
    (void)container;
    if (row->args)
        check_args(row, row->args, 0);
}

Test(command_table, arguments)
{
    each_row(check_row_args);
}

static void
expect_syntax(const char *name, const char *expected)
{
    struct buf b;
    const struct command_row *row = command_find_full(name, strlen(name));
    cr_assert_not_null(row, "%s", name);
    buf_init(&b);
    help_syntax(&b, row);
    buf_append(&b, "", 1);
    cr_assert_str_eq(buf_head(&b), expected);
    buf_destroy(&b);
}

Test(help, syntax)
{
    expect_syntax("get", "GET <key>");
    expect_syntax("del", "DEL <key> [<key> ...]");
    expect_syntax("mset", "MSET <key> <value> [<key> <value> ...]");
    expect_syntax("set", "SET <key> <value> [NX|XX] [GET] [EX <seconds>|PX <milliseconds>|EXAT <unix-time-seconds>|"
                         "PXAT <unix-time-milliseconds>|KEEPTTL]");
    expect_syntax("client|reply", "CLIENT REPLY (ON|OFF|SKIP)");
    expect_syntax("client|pause", "CLIENT PAUSE <timeout> [WRITE|ALL]");
    expect_syntax("client|list", "CLIENT LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <client-id> [<client-id> ...]]");
    expect_syntax("command|info", "COMMAND INFO [<command-name> ...]");
    expect_syntax("command|getkeys", "COMMAND GETKEYS ...");
    expect_syntax("bitfield_ro", "BITFIELD_RO <key> [GET <encoding> <offset> [GET <encoding> <offset> ...]]");
}

/* ---- the index ---------------------------------------------------------------------------------------------------------- */

static void
check_found(const struct command_row *row, const struct command_row *container)
{
    char name[64];
    size_t n = strlen(row->name);
    cr_assert_lt(n, sizeof name);
    for (unsigned form = 0; form < 4; form++) {
        for (size_t i = 0; i <= n; i++) /* upper case in none, all, the even, the odd places */
            name[i] = (char)(form == 1 || (form > 1 && i % 2 == form % 2) ? toupper((unsigned char)row->name[i]) : row->name[i]);
        cr_assert_eq(command_find_full(name, n), command_exists(row) ? row : NULL, "%s", name);
        if (container && command_exists(row))
            cr_assert_eq(command_find_sub(container, command_short_name(row), strlen(command_short_name(row))), row);
        else if (!container)
            cr_assert_eq(command_find(name, n), command_exists(row) ? row : NULL, "%s", name);
    }
}

Test(command_index, finds_every_row_in_any_case)
{
    each_row(check_found);
}

/* Is there a command of this name at all? Looked for the slow way. */
static bool
is_name(const char *name, size_t n)
{
    for (size_t i = 0; i < command_count(); i++)
        if (strlen(command_at(i)->name) == n && strncasecmp(command_at(i)->name, name, n) == 0)
            return true;
    return false;
}

Test(command_index, finds_nothing_else)
{
    char name[64];
    for (size_t i = 0; i < command_count(); i++) {
        size_t n = strlen(command_at(i)->name);
        for (size_t at = 0; at < n; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                memcpy(name, command_at(i)->name, n);
                name[at] = (char)byte;
                cr_assert_eq(command_find(name, n) != NULL, is_name(name, n), "%.*s", (int)n, name);
            }
        }
        memcpy(name, command_at(i)->name, n);
        name[n] = name[n - 1];
        for (size_t len = 0; len <= n + 1; len++)
            cr_assert_eq(command_find(name, len) != NULL, is_name(name, len), "%.*s", (int)len, name);
    }
    memset(name, 'g', sizeof name);
    for (size_t len = 0; len < sizeof name; len++)
        cr_assert_null(command_find(name, len));
}

Test(command_index, full_names)
{
    static const char *const wrong[] = {"", "|", "get|", "|get", "get|x", "client|", "client|list|", "client|list|x", "list"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_null(command_find_full(wrong[i], strlen(wrong[i])), "%s", wrong[i]);
}

/* ---- ACL categories ------------------------------------------------------------------------------------------------------ */

Test(command_table, acl_categories)
{
    cr_assert_eq(command_acl(command_find("get", 3)), ACL_READ | ACL_STRING | ACL_FAST);
    cr_assert_eq(command_acl(command_find("set", 3)), ACL_WRITE | ACL_STRING | ACL_SLOW);
    cr_assert_eq(command_acl(command_find("keys", 4)), ACL_KEYSPACE | ACL_READ | ACL_SLOW | ACL_DANGEROUS);
    cr_assert_eq(command_acl(command_find_full("config|get", 10)), ACL_ADMIN | ACL_SLOW | ACL_DANGEROUS);
}
