/* fuzz_json.c - libFuzzer target of JSON lines as kvstash-cli imports them.
 *
 * Properties: a line that is taken gives a value that is whole to its depth, or one with something twice, out of range or empty; the
 * line made of it is taken again, gives the same bytes of RDB, and is the same line then.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xassert.h"
#include "cli/value_json.h"

static void
check_same(const struct resp_arg *a, const struct resp_arg *b)
{
    xassert(a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0));
}

/* Written as JSON and read again. */
static void
go_round(const struct item *item, struct value_reader *second)
{
    struct rdb_value v = { 0 };
    struct buf one, other;
    struct item again;
    char error[VALUE_ERROR_MAX];
    buf_init(&one);
    buf_init(&other);
    if (value_to_json(&one, &v, item, error)) {
        xassert(value_from_json(second, buf_head(&one), buf_pending(&one) - 1, &again, error));
        xassert(again.kind == item->kind && again.db == item->db && again.expires_ms == item->expires_ms && again.form == item->form);
        check_same(&again.key, &item->key);
        check_same(&again.value, &item->value);
        xassert(value_to_json(&other, &v, &again, error));
        xassert(other.len == one.len && memcmp(one.data, other.data, one.len) == 0);
    }
    rdb_value_free(&v);
    buf_destroy(&one);
    buf_destroy(&other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct value_reader first = { 0 }, second = { 0 };
    struct item item = { 0 };
    char error[VALUE_ERROR_MAX], *line = malloc(len > 0 ? len : 1); /* exact: a step beyond is seen */
    xassert(line != NULL);
    if (len > 0)
        memcpy(line, bytes, len);
    if (value_from_json(&first, line, len, &item, error))
        go_round(&item, &second);
    else
        xassert(error[0] != '\0');
    value_reader_free(&first);
    value_reader_free(&second);
    free(line);
    return 0;
}
