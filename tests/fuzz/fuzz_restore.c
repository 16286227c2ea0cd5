/* fuzz_restore.c - libFuzzer target of RESTORE's payloads, through the command itself and a real region.
 *
 * Byte 0 chooses, the rest is a payload: with bit 0 as it is, else without version and checksum, which are put behind it;
 * with bit 1 hashes become trees at once. Properties: RESTORE answers OK or an error and leaves nothing behind after an
 * error; what it took is given back by DUMP, and that payload restores to an equal value; the region's walk finds nothing
 * wrong and no block is lost.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xassert.h"
#include "command/config.h"
#include "command/control.h"
#include "tests/crash/rig.h"
#include "types/type_rdb.h"

#define EXTENTS 40u
#define CHECK_EVERY 512u

static struct rig rig;

static void
set_number(enum param_id id, int64_t n)
{
    config_put(&rig.engine.control->config.live, (int)id, &(struct param_value){ .number = n });
}

static void
run(int argc, const struct resp_arg *argv, struct buf *reply)
{
    struct rig_line l = { .text = "", .argc = argc, .argv = (struct resp_arg *)argv };
    buf_clear(reply, SIZE_MAX);
    xassert(rig_line_run(&rig, &l, reply));
    xassert(!buf_failed(reply));
}

static struct resp_arg
word(const char *text)
{
    return (struct resp_arg){ .data = text, .len = strlen(text) };
}

/* Restores into a key; true if it was taken. */
static bool
restore(const char *key, const char *payload, size_t len)
{
    struct buf reply;
    buf_init(&reply);
    run(4, (struct resp_arg[]){ word("RESTORE"), word(key), word("0"), { .data = payload, .len = len } }, &reply);
    bool taken = reply.len == 5 && memcmp(reply.data, "+OK\r\n", 5) == 0;
    xassert(taken || (reply.len > 4 && memcmp(reply.data, "-ERR", 4) == 0));
    buf_destroy(&reply);
    return taken;
}

/* The key's DUMP; its payload stands in *payload. */
static void
dump(const char *key, struct buf *reply, struct resp_arg *payload)
{
    run(2, (struct resp_arg[]){ word("DUMP"), word(key) }, reply);
    char *line_end = memchr(reply->data, '\n', reply->len);
    xassert(reply->data[0] == '$' && line_end != NULL);
    payload->data = line_end + 1;
    payload->len = strtoul(reply->data + 1, NULL, 10);
}

/* The reply: two values' digests, each in forty hexadecimal digits. */
static void
check_equal(const char *one, const char *other)
{
    static const char head[] = "*2\r\n+", between[] = "\r\n+";
    struct buf reply;
    buf_init(&reply);
    run(4, (struct resp_arg[]){ word("DEBUG"), word("DIGEST-VALUE"), word(one), word(other) }, &reply);
    const char *first = reply.data + sizeof(head) - 1, *second = first + 40 + sizeof(between) - 1;
    xassert(reply.len == sizeof(head) - 1 + 40 + sizeof(between) - 1 + 40 + 2);
    xassert(memcmp(first, second, 40) == 0 && strspn(first, "0") < 40);
    buf_destroy(&reply);
}

static void
check_taken(void)
{
    struct buf reply;
    struct resp_arg payload;
    buf_init(&reply);
    dump("a", &reply, &payload);
    xassert(restore("b", payload.data, payload.len));
    check_equal("a", "b");
    buf_destroy(&reply);
    rig_do(&rig, "DEL a b; !reclaim-all", NULL);
}

static void
check_now_and_then(void)
{
    static unsigned runs;
    static uint64_t used;
    if (runs++ % CHECK_EVERY != 0)
        return;
    rig_check(&rig, "fuzz");
    uint64_t now = 0;
    for (unsigned i = 0; i < rig.region.nshards; i++)
        now += rig.region.shards[i].used_bytes;
    xassert(used == 0 || now <= used + 65536); /* the table's own first segments come once */
    if (used == 0)
        used = now;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct buf payload;
    if (len < 2)
        return 0;
    if (rig.page == NULL)
        rig_open(&rig, EXTENTS);
    set_number(PARAM_ENABLE_DEBUG_COMMAND, 1);
    set_number(PARAM_HASH_MAX_LISTPACK_ENTRIES, bytes[0] & 2 ? 0 : 512);
    buf_init(&payload);
    buf_append(&payload, bytes + 1, len - 1);
    if (!(bytes[0] & 1))
        type_rdb_save_footer(&payload);
    if (restore("a", payload.data, payload.len))
        check_taken();
    buf_destroy(&payload);
    check_now_and_then();
    return 0;
}
