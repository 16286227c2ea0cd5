/* fuzz_restore.c - any bytes as RESTORE's payload: the reader of values must not read outside them, and what it
 * accepts it must hand out in full. Checksums are left out, or nothing would ever get behind them.
 *
 * Built by scripts/fuzz (clang, -fsanitize=fuzzer).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/xassert.h"
#include "types/type_rdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum;

static void
touch(const struct rdb_string *s)
{
    for (size_t i = 0; i < s->len; i++)
        sum += (unsigned char)rdb_string_bytes(s)[i];
}

static bool
touch_pair(void *arg, const struct rdb_string *field, const struct rdb_string *value)
{
    touch(field);
    touch(value);
    ++*(uint64_t *)arg;
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct type_rdb d;
    uint64_t pairs = 0;
    (void)type_rdb_verify((const char *)data, size);
    if (type_rdb_open(&d, (const char *)data, size) == TYPE_RDB_OK) {
        if (d.type == SHM_TYPE_STRING) {
            touch(&d.string);
        } else {
            xassert(type_rdb_each(&d, touch_pair, &pairs));
            xassert(pairs == d.count && pairs > 0);
        }
    }
    type_rdb_close(&d);
    return 0;
}
