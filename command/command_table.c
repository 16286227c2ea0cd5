/* command_table.c - finding rows of the command table by name.
 *
 * The look-up is on every request's path: a name is folded into two words (its first and its last eight bytes, in lower
 * case), which are hashed and compared as words. Only names longer than both words together are looked at again. The
 * index is open addressing, a quarter full at most, filled at the first look-up that finds nothing.
 *
 * Process: workers. Locks: none.
 */
#include "command/command_table.h"

#include <string.h>
#include <strings.h>

#include "base/xassert.h"

const struct command_row *const command_groups[] = {
    command_rows_bitmap,
    command_rows_connection,
    command_rows_generic,
    command_rows_hash,
    command_rows_server,
    command_rows_string,
    NULL,
};

#define INDEX_BITS 10
#define INDEX (1u << INDEX_BITS)
#define ROWS_MAX (INDEX / 4)

struct name_words {
    uint64_t front, back;
};

struct slot {
    struct name_words words;
    const struct command_row *row; /* NULL: free */
    size_t len;
};

static struct {
    struct slot slots[INDEX];
    const struct command_row *rows[ROWS_MAX];
    size_t count;
    bool filled;
} table;

/* ---- names ------------------------------------------------------------------------------------------------------ */

/* Upper-case letters among the eight bytes become lower case, everything else stays. */
static uint64_t
lower_word(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t low = w & (0x7f * ones);
    uint64_t upper = (low + (0x80 - 'A') * ones) & ~(low + (0x7f - 'Z') * ones) & ~w & (0x80 * ones);
    return w | upper >> 2;
}

static uint64_t
load(const char *p, size_t n)
{
    uint64_t w = 0;
    memcpy(&w, p, n);
    return w;
}

/* Different names of one length up to 16 have different words. */
static inline struct name_words
fold(const char *name, size_t len)
{
    if (len >= 8)
        return (struct name_words){lower_word(load(name, 8)), lower_word(load(name + len - 8, 8))};
    if (len >= 4)
        return (struct name_words){lower_word(load(name, 4) | load(name + len - 4, 4) << 32), 0};
    if (len == 0)
        return (struct name_words){0, 0};
    const unsigned char *u = (const unsigned char *)name;
    return (struct name_words){lower_word(u[0] | (uint64_t)u[len / 2] << 8 | (uint64_t)u[len - 1] << 16), 0};
}

static unsigned
hash(struct name_words w)
{
    return (unsigned)((w.front * 0x9E3779B97F4A7C15u ^ w.back * 0xC2B2AE3D27D4EB4Fu) >> (64 - INDEX_BITS));
}

/* ---- the index ---------------------------------------------------------------------------------------------------- */

bool
command_exists(const struct command_row *row)
{
    if (row->run)
        return true;
    for (const struct command_row *sub = row->subs; sub && sub->name; sub++)
        if (sub->run)
            return true;
    return false;
}

static void
fill(void)
{
    table.filled = true;
    for (const struct command_row *const *group = command_groups; *group; group++) {
        for (const struct command_row *row = *group; row->name; row++) {
            size_t len = strlen(row->name);
            struct name_words words = fold(row->name, len);
            unsigned h = hash(words);
            if (!command_exists(row))
                continue;
            xassert(table.count < ROWS_MAX);
            table.rows[table.count++] = row;
            while (table.slots[h].row)
                h = (h + 1) % INDEX;
            table.slots[h] = (struct slot){words, row, len};
        }
    }
}

const struct command_row *
command_find(const char *name, size_t len)
{
    struct name_words words = fold(name, len);
    for (unsigned h = hash(words); table.slots[h].row; h = (h + 1) % INDEX) {
        const struct slot *s = &table.slots[h];
        if (((s->words.front ^ words.front) | (s->words.back ^ words.back) | (s->len ^ len)) == 0 &&
            (len <= sizeof words || strncasecmp(s->row->name, name, len) == 0))
            return s->row;
    }
    if (table.filled)
        return NULL;
    fill();
    return command_find(name, len);
}

const struct command_row *
command_find_sub(const struct command_row *container, const char *name, size_t len)
{
    for (const struct command_row *sub = container->subs; sub && sub->name; sub++) {
        const char *word = command_short_name(sub);
        if (sub->run && strlen(word) == len && strncasecmp(word, name, len) == 0)
            return sub;
    }
    return NULL;
}

const struct command_row *
command_find_full(const char *name, size_t len)
{
    const char *bar = memchr(name, '|', len);
    size_t front = bar ? (size_t)(bar - name) : len;
    const struct command_row *row = command_find(name, front);
    return row && bar ? command_find_sub(row, bar + 1, len - front - 1) : row;
}

size_t
command_count(void)
{
    if (!table.filled)
        fill();
    return table.count;
}

const struct command_row *
command_at(size_t i)
{
    xassert(i < command_count());
    return table.rows[i];
}

/* ---- facts that follow from a row ----------------------------------------------------------------------------------- */

const char *
command_short_name(const struct command_row *row)
{
    const char *bar = strchr(row->name, '|');
    return bar ? bar + 1 : row->name;
}

uint32_t
command_acl(const struct command_row *row)
{
    static const struct {
        uint32_t flag, acl;
    } implied[] = {
        {CMD_WRITE, ACL_WRITE},
        {CMD_READONLY, ACL_READ},
        {CMD_ADMIN, ACL_ADMIN | ACL_DANGEROUS},
        {CMD_PUBSUB, ACL_PUBSUB},
        {CMD_FAST, ACL_FAST},
        {CMD_BLOCKING, ACL_BLOCKING},
    };
    uint32_t acl = row->acl | (row->flags & CMD_FAST ? 0 : ACL_SLOW);
    for (size_t i = 0; i < sizeof implied / sizeof implied[0]; i++)
        if (row->flags & implied[i].flag)
            acl |= implied[i].acl;
    return acl;
}
