/* test_type_hash.c - random changes of one hash in all its encodings, against a plain list of pairs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "tests/unit/shm/fixture.h"
#include "types/type_value.h"

#define FIELDS 900u
#define VALUE_MAX 12000u

/* What the hash should hold: the length of field i's value (all of one letter); 0: absent. */
struct model {
    size_t len[FIELDS];
    char letter[FIELDS];
    unsigned count;
};

static char text[VALUE_MAX];

static size_t
name_of(unsigned i, char name[64])
{
    return (size_t)snprintf(name, 64, "field-%u", i);
}

static void
change(struct fixture *f, struct model *m, unsigned i, size_t len, char letter)
{
    char name[64];
    uint16_t shard = fixture_shard(&f->region, "h");
    name_of(i, name);
    memset(text, letter, len);
    cr_assert(shm_tx_begin(&f->tx));
    shm_tx_enter(&f->tx, &shard, 1);
    cr_assert(fixture_hset(&f->tx, "h", name, len ? text : NULL, len));
    cr_assert(shm_tx_commit(&f->tx));
    m->count += (len != 0) - (m->len[i] != 0);
    m->len[i] = len;
    m->letter[i] = letter;
}

static bool
find(struct fixture *f, struct type_hash *h)
{
    struct shm_place p;
    uint64_t position = shm_table_position(&f->region, "h", 1, false);
    struct shm_tree t = shm_tree_of_db(&f->region, shm_region_shard(&f->region, position), 0);
    bool there = shm_table_find(&t, position, "h", 1, &p);
    type_hash_open(h, &f->region, t.shard, there ? p.entry : NULL);
    return there;
}

struct seen {
    const struct model *m;
    unsigned times[FIELDS];
};

static bool
see(void *arg, const struct string_view *field, const struct string_view *value)
{
    struct seen *s = arg;
    char name[64], first;
    unsigned i;
    cr_assert_lt(field->len, sizeof name);
    type_string_copy(field, 0, name, field->len);
    name[field->len] = '\0';
    cr_assert_eq(sscanf(name, "field-%u", &i), 1);
    cr_assert(i < FIELDS && s->m->len[i] == value->len);
    type_string_copy(value, value->len - 1, &first, 1);
    cr_assert_eq(first, s->m->letter[i]);
    s->times[i]++;
    return true;
}

/* Every way of reading shows exactly the model. */
static void
compare(struct fixture *f, const struct model *m)
{
    struct type_hash h;
    struct seen each = {.m = m}, scan = {.m = m}, chance = {.m = m};
    uint64_t cursor = 0;
    struct rand r = {{9, 9}};
    cr_assert_eq(find(f, &h), m->count > 0);
    cr_assert_eq(type_hash_length(&h), m->count);
    type_hash_each(&h, see, &each);
    do
        cursor = type_hash_scan(&h, cursor, see, &scan);
    while (cursor);
    for (unsigned i = 0; i < FIELDS; i++) {
        char name[64];
        struct string_view v;
        cr_assert_eq(each.times[i], m->len[i] != 0);
        cr_assert_eq(scan.times[i], m->len[i] != 0);
        cr_assert_eq(type_hash_get(&h, name, name_of(i, name), &v), m->len[i] != 0);
    }
    for (int i = 0; i < 20 && m->count; i++) {
        struct string_view field, value;
        const uint64_t numbers[2] = {rand_next(&r), rand_next(&r)};
        type_hash_random(&h, numbers, &field, &value);
        see(&chance, &field, &value);
    }
}

static const char *
encoding(struct fixture *f)
{
    struct type_hash h;
    return find(f, &h) ? type_hash_encoding_name(h.entry) : "";
}

/* `fields` different ones, values up to `longest` bytes. */
static void
run(unsigned fields, size_t longest, int steps, const char *end)
{
    struct fixture f;
    struct model m = {0};
    struct rand r = {{fields, longest}};
    fixture_open(&f, 40);
    for (int i = 0; i < steps; i++) {
        unsigned field = (unsigned)rand_below(&r, fields);
        bool remove = rand_below(&r, 4) == 0;
        change(&f, &m, field, remove ? 0 : 1 + rand_below(&r, longest), (char)('a' + rand_below(&r, 26)));
        if (i % 97 == 0)
            compare(&f, &m);
    }
    cr_assert_str_eq(encoding(&f), end);
    compare(&f, &m);
    fixture_check(&f);
    for (unsigned i = 0; i < FIELDS; i++)
        if (m.len[i])
            change(&f, &m, i, 0, 0);
    compare(&f, &m);
    fixture_check(&f);
    fixture_close(&f);
}

Test(hash, small_stays_in_the_entry, .timeout = 60) { run(10, 60, 2000, "listpack"); }
Test(hash, chain_of_blocks, .timeout = 60) { run(450, 64, 6000, "listpack"); }
Test(hash, beyond_the_entries, .timeout = 60) { run(FIELDS, 30, 4000, "hashtable"); }
Test(hash, long_values, .timeout = 60) { run(300, VALUE_MAX, 3000, "hashtable"); }

/* A hash becomes a table at the limits and never goes back. */
Test(hash, limits)
{
    struct fixture f;
    struct model m = {0};
    fixture_open(&f, 24);
    for (unsigned i = 0; i < 512; i++)
        change(&f, &m, i, 64, 'x');
    cr_assert_str_eq(encoding(&f), "listpack");
    change(&f, &m, 0, 64, 'y');
    cr_assert_str_eq(encoding(&f), "listpack");
    change(&f, &m, 512, 1, 'x');
    cr_assert_str_eq(encoding(&f), "hashtable");
    for (unsigned i = 1; i < 513; i++)
        change(&f, &m, i, 0, 0);
    cr_assert_str_eq(encoding(&f), "hashtable");
    compare(&f, &m);
    change(&f, &m, 0, 0, 0);
    change(&f, &m, 0, 65, 'z');
    cr_assert_str_eq(encoding(&f), "hashtable");
    fixture_close(&f);
}
