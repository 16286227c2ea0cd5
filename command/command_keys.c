/* command_keys.c - finding keys among arguments (contract in command_keys.h).
 *
 * A specification first says where to begin (a place, or behind a word), then which arguments from there on are keys
 * (a range, or as many as an argument says). The rules, also for what does not fit, are those of Redis 7.0.15.
 *
 * Process: workers. Locks: none. Fails: returned.
 */
#include "command/command_keys.h"

#include <string.h>
#include <strings.h>

#include "base/decimal.h"
#include "types/type_string.h"

static bool
is_word(const struct resp_arg *a, const char *word)
{
    return strlen(word) == a->len && strncasecmp(a->data, word, a->len) == 0;
}

/* Where a specification begins; 0: nowhere. */
static int
begin_of(const struct command_key_spec *spec, int argc, const struct resp_arg *argv)
{
    if (spec->begin == KEY_BEGIN_INDEX)
        return spec->index;
    if (spec->begin != KEY_BEGIN_KEYWORD)
        return 0;
    int step = spec->index > 0 ? 1 : -1;
    for (int i = spec->index > 0 ? spec->index : argc + spec->index; i > 0 && i < argc - 1; i += step)
        if (is_word(&argv[i], spec->keyword))
            return i + 1;
    return 0;
}

/* The last of the keys that begin at *first, which may move; 0: none can be told. */
static int64_t
end_of(const struct command_key_spec *spec, int argc, const struct resp_arg *argv, int *first)
{
    if (spec->find == KEY_FIND_RANGE) {
        if (spec->last >= 0)
            return *first + spec->last;
        return spec->limit ? *first + (argc - *first) / spec->limit + spec->last : argc + spec->last;
    }
    int64_t n;
    int at = *first + spec->keynum_at;
    if (spec->find != KEY_FIND_KEYNUM || at >= argc || !decimal_read(argv[at].data, argv[at].len, &n))
        return 0;
    if (n < 1 || n > argc)
        return 0;
    *first += spec->first;
    return *first + (n - 1) * spec->step;
}

int
command_keys_find(const struct command_row *row, int argc, const struct resp_arg *argv, struct command_key *found, int cap)
{
    int n = 0;
    for (const struct command_key_spec *spec = row->keys; spec && spec->flags; spec++) {
        if (spec->flags & KEY_NOT_KEY)
            continue;
        int first = begin_of(spec, argc, argv);
        int64_t last = first > 0 ? end_of(spec, argc, argv, &first) : 0;
        if (first <= 0 || last < first || last >= argc)
            return 0;
        for (int i = first; i <= last; i += spec->step, n++)
            if (n < cap)
                found[n] = (struct command_key){
                    i, spec->flags & KEY_VARIABLE_FLAGS ? row->key_flags(argc, argv, i) : spec->flags};
    }
    return n;
}

/* ---- flags that the arguments decide ------------------------------------------------------------------------------- */

uint32_t
command_keys_set_flags(int argc, const struct resp_arg *argv, int arg)
{
    for (int i = arg + 2; i < argc; i++)
        if (is_word(&argv[i], "get"))
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
    return KEY_OW | KEY_UPDATE;
}

/* Only GETs, and OVERFLOWs without effect, read; whatever else stands there may be an error, or writes. */
uint32_t
command_keys_bitfield_flags(int argc, const struct resp_arg *argv, int arg)
{
    for (int i = arg + 1; i < argc; i++) {
        int more = is_word(&argv[i], "get") ? 2 : is_word(&argv[i], "overflow") ? 1 : argc;
        if (i + more >= argc)
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
        i += more;
    }
    return KEY_RO | KEY_ACCESS;
}
