/* cmd_debug.c - DEBUG: looks inside and aids for tests, behind enable-debug-command.
 *
 * Names, forms and error texts are Redis 7.0.15's where both have the subcommand. What acts on "the server" there acts
 * here on the data (DIGEST, POPULATE), on all processes (SET-ACTIVE-EXPIRE), or, where that is the point, on the worker
 * that serves the connection (SLEEP, SEGFAULT, PANIC, ASSERT, OOM). Those about the data are in cmd_debug_data.c.
 *
 * Process: workers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/glob.h"
#include "base/log.h"
#include "command/cmd.h"
#include "command/cmd_debug_data.h"
#include "command/cmd_rows.h"
#include "command/control.h"
#include "shm/shm_crash.h"
#include "shm/shm_proc.h"
#include "types/type_value.h"

#define NAME_SHOWN_MAX 128u
#define LOG_SHOWN_MAX 1024u


static int
flag_of(const struct cmd *c, int i)
{
    char text[TYPE_STRING_DIGITS];
    snprintf(text, sizeof text, "%.*s", (int)(cmd_arg_len(c, i) < sizeof text ? cmd_arg_len(c, i) : sizeof text - 1), cmd_arg(c, i));
    return atoi(text);
}

static void
unknown(struct cmd *c)
{
    size_t shown = cmd_arg_len(c, 1) < NAME_SHOWN_MAX ? cmd_arg_len(c, 1) : NAME_SHOWN_MAX;
    cmd_error(c, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.", (int)strnlen(cmd_arg(c, 1), shown),
        cmd_arg(c, 1));
}

static void
just_ok(struct cmd *c)
{
    resp_out_ok(c->out);
}

/* ---- replies ------------------------------------------------------------------------------------------------------------ */

static void protocol_string(struct cmd *c) { resp_out_bulk_str(c->out, "Hello World"); }
static void protocol_integer(struct cmd *c) { resp_out_int(c->out, 12345); }
static void protocol_double(struct cmd *c) { resp_out_double_text(c->out, "3.141", 5); }
static void protocol_null(struct cmd *c) { resp_out_null(c->out); }
static void protocol_true(struct cmd *c) { resp_out_bool(c->out, true); }
static void protocol_false(struct cmd *c) { resp_out_bool(c->out, false); }
static void protocol_bignum(struct cmd *c) { resp_out_bignum(c->out, "1234567999999999999999999999999999999", 37); }
static void protocol_verbatim(struct cmd *c) { resp_out_verbatim(c->out, "txt", "This is a verbatim\nstring", 25); }

static void
protocol_array(struct cmd *c)
{
    resp_out_array(c->out, 3);
    for (int i = 0; i < 3; i++)
        resp_out_int(c->out, i);
}

static void
protocol_set(struct cmd *c)
{
    resp_out_set(c->out, 3);
    for (int i = 0; i < 3; i++)
        resp_out_int(c->out, i);
}

static void
protocol_map(struct cmd *c)
{
    resp_out_map(c->out, 3);
    for (int i = 0; i < 3; i++) {
        resp_out_int(c->out, i);
        resp_out_bool(c->out, i == 1);
    }
}

static void
protocol_attrib(struct cmd *c)
{
    if (c->out->version > 2) {
        resp_out_attribute(c->out, 1);
        resp_out_bulk_str(c->out, "key-popularity");
        resp_out_array(c->out, 2);
        resp_out_bulk_str(c->out, "key:123");
        resp_out_int(c->out, 90);
    }
    resp_out_bulk_str(c->out, "Some real reply following the attribute");
}

static void
protocol_push(struct cmd *c)
{
    if (c->out->version < 3) {
        cmd_error(c, "ERR RESP2 is not supported by this command");
        return;
    }
    resp_out_push(c->out, 2);
    resp_out_bulk_str(c->out, "server-cpu-usage");
    resp_out_int(c->out, 42);
    resp_out_bulk_str(c->out, "Some real reply following the push reply");
}

static void
debug_protocol(struct cmd *c)
{
    static const struct {
        const char *name;
        void (*reply)(struct cmd *c);
    } kinds[] = {
        {"string", protocol_string}, {"integer", protocol_integer}, {"double", protocol_double}, {"null", protocol_null},
        {"array", protocol_array}, {"set", protocol_set}, {"map", protocol_map}, {"attrib", protocol_attrib},
        {"push", protocol_push}, {"verbatim", protocol_verbatim}, {"true", protocol_true}, {"false", protocol_false},
        {"bignum", protocol_bignum},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (cmd_arg_is(c, 2, kinds[i].name)) {
            kinds[i].reply(c);
            return;
        }
    }
    cmd_error(c, "ERR Wrong protocol type name. Please use one of the following: "
                 "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

static void
debug_error(struct cmd *c)
{
    resp_out_error_bytes(c->out, cmd_arg(c, 2), cmd_arg_len(c, 2));
    c->failed = true;
}

/* ---- behaviour ----------------------------------------------------------------------------------------------------------- */

static void
debug_sleep(struct cmd *c)
{
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)(cmd_arg_len(c, 2) < sizeof text ? cmd_arg_len(c, 2) : sizeof text - 1), cmd_arg(c, 2));
    double seconds = strtod(text, NULL);
    if (seconds > 0 && seconds < 1e9) {
        struct timespec t = {.tv_sec = (time_t)seconds};
        t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
        while (nanosleep(&t, &t) != 0 && errno == EINTR)
            ;
    }
    resp_out_ok(c->out);
}

static void
debug_set_active_expire(struct cmd *c)
{
    atomic_store(&c->engine->control->active_expire_off, flag_of(c, 2) == 0);
    resp_out_ok(c->out);
}

static void
debug_packed_threshold(struct cmd *c)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {{"", 1}, {"b", 1}, {"k", 1000}, {"kb", 1024}, {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};
    char text[32], *end;
    snprintf(text, sizeof text, "%.*s", (int)(cmd_arg_len(c, 2) < sizeof text ? cmd_arg_len(c, 2) : sizeof text - 1), cmd_arg(c, 2));
    uint64_t n = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0] && end != text; i++) {
        if (strcasecmp(end, units[i].unit) == 0 && n <= (4ull << 30) / units[i].bytes) {
            resp_out_ok(c->out); /* lists have one form here */
            return;
        }
    }
    cmd_error(c, "ERR argument must be a memory value bigger than 1 and smaller than 4gb");
}

static void
debug_replybuffer(struct cmd *c)
{
    int64_t ms;
    if (cmd_arg_is(c, 2, "peak-reset-time")) {
        if (!cmd_arg_is(c, 3, "never") && !cmd_arg_is(c, 3, "reset") && !cmd_arg_int(c, 3, &ms))
            return;
    } else if (!cmd_arg_is(c, 2, "resizing")) {
        unknown(c);
        return;
    }
    resp_out_ok(c->out); /* reply buffers follow what is written to them; there is nothing to set */
}

static void
debug_client_eviction(struct cmd *c)
{
    cmd_error(c, "ERR maxmemory-clients is disabled.");
}

static void
debug_log(struct cmd *c)
{
    log_warning("DEBUG LOG: %.*s", (int)(cmd_arg_len(c, 2) < LOG_SHOWN_MAX ? cmd_arg_len(c, 2) : LOG_SHOWN_MAX), cmd_arg(c, 2));
    resp_out_ok(c->out);
}

/* Random patterns against random texts, as many as take a moment. */
static void
debug_stringmatch_test(struct cmd *c)
{
    static const char letters[] = "*?[]^-\\ab";
    unsigned matches = 0;
    uint64_t random = (uint64_t)cmd_now(c) | 1;
    for (int i = 0; i < 20000; i++) {
        char text[2][32];
        for (int k = 0; k < 64; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            text[k / 32][k % 32] = letters[(random >> 33) % (sizeof letters - 1)];
        }
        matches += glob_match(text[0], (size_t)(random >> 40) % 32, text[1], (size_t)(random >> 50) % 32);
    }
    resp_out_simple(c->out, matches <= 20000 ? "Nothing crashed: test passed" : "");
}

/* ---- files ------------------------------------------------------------------------------------------------------------------- */

/* Asks the persister for it, once no other is under way. False: the command is run again later. */
static bool
ask_for_reload(struct cmd *c, uint64_t options)
{
    struct loading_sh *l = &c->engine->control->loading;
    uint64_t asked = atomic_load(&l->reload_asked), answered = atomic_load(&l->reload_answered);
    uint64_t next = (asked >> LOADING_RELOAD_SHIFT) + 1, mine = next << LOADING_RELOAD_SHIFT | options;
    c->again = true;
    if (asked >> LOADING_RELOAD_SHIFT != answered >> LOADING_RELOAD_SHIFT || !atomic_compare_exchange_strong(&l->reload_asked, &asked, mine))
        return false;
    c->session->awaits = next;
    c->engine->hooks.wake(c->engine->hooks.arg, control_persister(c->engine->control), SHM_PROC_WANTED_LOG);
    return false;
}

/* The whole data, written and read back in one step (persist/reread.h). */
static void
reload(struct cmd *c, uint64_t options, const char *failed)
{
    const struct loading_sh *l = &c->engine->control->loading;
    if (c->session->awaits == 0) {
        if (loading_answer(c->engine) == LOADING_REFUSE)
            cmd_error(c, "LOADING Redis is loading the dataset in memory");
        else
            ask_for_reload(c, options);
        return;
    }
    uint64_t answered = atomic_load(&l->reload_answered);
    c->again = answered >> LOADING_RELOAD_SHIFT < c->session->awaits;
    if (c->again)
        return;
    enum loading_reloaded result = answered & ((1u << LOADING_RELOAD_SHIFT) - 1);
    c->session->awaits = 0;
    if (result == LOADING_RELOADED)
        resp_out_ok(c->out);
    else
        cmd_error(c, "%s", result == LOADING_SAVE_FAILED ? "ERR" : failed);
}

static void
debug_reload(struct cmd *c)
{
    uint64_t options = 0;
    for (int i = 2; i < c->argc; i++) {
        if (cmd_arg_is(c, i, "merge")) {
            options |= LOADING_RELOAD_MERGE;
        } else if (cmd_arg_is(c, i, "noflush")) {
            options |= LOADING_RELOAD_NOFLUSH;
        } else if (cmd_arg_is(c, i, "nosave")) {
            options |= LOADING_RELOAD_NOSAVE;
        } else {
            cmd_error(c, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
            return;
        }
    }
    reload(c, options, "ERR Error trying to load the RDB dump, check server logs.");
}

static void
debug_loadaof(struct cmd *c)
{
    reload(c, LOADING_RELOAD_LOG, "ERR Error trying to load the AOF files, check server logs.");
}

/* ---- ends of this worker ------------------------------------------------------------------------------------------------------ */

/* The store is wild on purpose: UndefinedBehaviorSanitizer need not report it. */
__attribute__((no_sanitize("undefined"))) static void
debug_segfault(struct cmd *c)
{
    volatile char *volatile nowhere = NULL;
    (void)c;
    *nowhere = 'x';
}

static void
debug_panic(struct cmd *c)
{
    (void)c;
    never_reached("DEBUG PANIC was asked for");
}

static void
debug_assert(struct cmd *c)
{
    xassert(!cmd_arg_is(c, 1, "assert"));
}

static void
debug_oom(struct cmd *c)
{
    (void)c;
    never_reached("DEBUG OOM was asked for");
}

#ifdef KVSTASH_CRASH_POINTS
/* This worker dies (or stops), or the persister dies, at the n-th store from now on. */
static void
debug_crash_point(struct cmd *c)
{
    int64_t n;
    if (!cmd_arg_int_range(c, 2, 0, INT64_MAX, &n, NULL))
        return;
    if (c->argc == 4 && cmd_arg_is(c, 3, "stop"))
        shm_crash_arm_stop((uint64_t)n);
    else if (c->argc == 4 && cmd_arg_is(c, 3, "persister"))
        atomic_store(&c->engine->control->persist.crash_asked, (uint64_t)n);
    else
        shm_crash_arm((uint64_t)n);
    resp_out_ok(c->out);
}
#endif

/* ---- the table ----------------------------------------------------------------------------------------------------------------- */

static void debug_help(struct cmd *c);

static const struct subcommand {
    const char *name;
    int min, max; /* arguments behind the name; max -1: any number */
    void (*run)(struct cmd *c);
    const char *form, *says;
} subcommands[] = {
    {"assert", 0, 0, debug_assert, "ASSERT", "End this worker by a failed assertion."},
    {"change-repl-id", 0, 0, just_ok, "CHANGE-REPL-ID", "Accepted; there is no replication yet."},
    {"check-region", 0, 0, cmd_debug_data_check_region, "CHECK-REGION", "Walk the whole region and check every reference and count."},
    {"client-eviction", 0, 0, debug_client_eviction, "CLIENT-EVICTION", "Classes of clients by memory, with maxmemory-clients."},
#ifdef KVSTASH_CRASH_POINTS
    {"crash-point", 1, 2, debug_crash_point, "CRASH-POINT <n> [STOP|PERSISTER]", "This worker dies (or stops), or the persister dies, at the n-th store from now on."},
#endif
    {"digest", 0, 0, cmd_debug_data_digest, "DIGEST", "A hash over all databases."},
    {"digest-value", 0, -1, cmd_debug_data_digest_value, "DIGEST-VALUE [<key> ...]", "A hash over each key's value."},
    {"error", 1, 1, debug_error, "ERROR <text>", "An error reply with this text."},
    {"help", 0, 0, debug_help, "HELP", "This text."},
    {"htstats", 1, 2, cmd_debug_data_htstats, "HTSTATS <db>", "Size and use of a database's index."},
    {"htstats-key", 1, 2, cmd_debug_data_htstats_key, "HTSTATS-KEY <key>", "The same of a large collection."},
    {"loadaof", 0, 0, debug_loadaof, "LOADAOF", "Write the log to its end, and load it in the place of the data."},
    {"log", 1, 1, debug_log, "LOG <text>", "Write the text to the log."},
    {"object", 1, 1, cmd_debug_data_object, "OBJECT <key>", "Where and how a value lies."},
    {"oom", 0, 0, debug_oom, "OOM", "End this worker as if private memory had run out."},
    {"panic", 0, 0, debug_panic, "PANIC", "End this worker as if it had met the impossible."},
    {"pause-cron", 1, 1, just_ok, "PAUSE-CRON <0|1>", "Accepted; regular work goes on."},
    {"populate", 1, 3, cmd_debug_data_populate, "POPULATE <count> [<prefix> [<size>]]", "Add keys prefix:0 to prefix:<count - 1>."},
    {"protocol", 1, 1, debug_protocol, "PROTOCOL <type>", "A reply of this type."},
    {"quicklist-packed-threshold", 1, 1, debug_packed_threshold, "QUICKLIST-PACKED-THRESHOLD <bytes>", "Accepted; lists have one form."},
    {"reload", 0, -1, debug_reload, "RELOAD [<option> ...]", "Save, and load in the place of the data. MERGE, NOFLUSH, NOSAVE."},
    {"replicate", 1, -1, just_ok, "REPLICATE <command> [<arg> ...]", "Accepted; there is no replication yet."},
    {"replybuffer", 2, 2, debug_replybuffer, "REPLYBUFFER <PEAK-RESET-TIME|RESIZING> <value>", "Accepted; nothing to set."},
    {"segfault", 0, 0, debug_segfault, "SEGFAULT", "End this worker by a wild store."},
    {"set-active-expire", 1, 1, debug_set_active_expire, "SET-ACTIVE-EXPIRE <0|1>", "Whether expired keys are swept unasked."},
    {"set-disable-deny-scripts", 1, 1, just_ok, "SET-DISABLE-DENY-SCRIPTS <0|1>", "Accepted; there are no scripts yet."},
    {"set-skip-checksum-validation", 1, 1, just_ok, "SET-SKIP-CHECKSUM-VALIDATION <0|1>", "Accepted; checksums are always looked at."},
    {"sleep", 1, 1, debug_sleep, "SLEEP <seconds>", "Stop this worker; the others go on."},
    {"stringmatch-test", 0, 0, debug_stringmatch_test, "STRINGMATCH-TEST", "Random patterns against random texts."},
};
#define SUBCOMMANDS (sizeof subcommands / sizeof subcommands[0])

static void
debug_help(struct cmd *c)
{
    char text[128];
    resp_out_array(c->out, 1 + 2 * SUBCOMMANDS);
    resp_out_simple(c->out, "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        resp_out_simple(c->out, subcommands[i].form);
        snprintf(text, sizeof text, "    %s", subcommands[i].says);
        resp_out_simple(c->out, text);
    }
}

static bool
is_allowed(const struct cmd *c)
{
    int64_t who = config_number(c->engine, PARAM_ENABLE_DEBUG_COMMAND); /* no, yes, local */
    return who == 1 || (who == 2 && (c->session->flags & SESSION_LOCAL));
}

static bool
looks_at_data(const struct subcommand *s)
{
    static command_fn *const all[] = {cmd_debug_data_check_region, cmd_debug_data_digest, cmd_debug_data_digest_value,
        cmd_debug_data_htstats, cmd_debug_data_htstats_key, cmd_debug_data_object, cmd_debug_data_populate};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (s->run == all[i])
            return true;
    return false;
}

/* False: they are being loaded; the command is run again, or answered so. */
static bool
data_are_there(struct cmd *c)
{
    enum loading_answer answer = loading_answer(c->engine);
    c->again = answer == LOADING_WAIT;
    if (answer == LOADING_REFUSE)
        cmd_error(c, "LOADING Redis is loading the dataset in memory");
    return answer == LOADING_GO_ON;
}

void
cmd_debug(struct cmd *c)
{
    if (!is_allowed(c)) {
        cmd_error(c, "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a "
                     "local connection, otherwise you need to set this option in the configuration file, and then restart the "
                     "server.");
        return;
    }
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        const struct subcommand *s = &subcommands[i];
        if (cmd_arg_is(c, 1, s->name) && c->argc - 2 >= s->min && (s->max < 0 || c->argc - 2 <= s->max)) {
            if (!looks_at_data(s) || data_are_there(c))
                s->run(c);
            return;
        }
    }
    unknown(c);
}
