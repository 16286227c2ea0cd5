/* fuzz_reply.c - libFuzzer target of the reply reader.
 *
 * Property: reading a server's stream in one piece and byte by byte gives the same values and the same
 * error.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xassert.h"
#include "resp/resp_read.h"

static void
tell(struct buf *told, const struct resp_value *v)
{
    buf_printf(told, "%d %d %d %lld %zu %zu:", v->type, v->null_array, v->boolean,
               (long long)v->integer, v->len, v->count);
    if (v->text != NULL) {
        xassert(v->text[v->len] == '\0');
        buf_append(told, v->text, v->len);
    }
    buf_append(told, v->ext, sizeof(v->ext));
    for (size_t i = 0; i < v->count; i++)
        tell(told, &v->child[i]);
}

static void
read_all(const uint8_t *bytes, size_t len, size_t piece, struct buf *told)
{
    struct resp_reader *r = resp_reader_create();
    if (r == NULL)
        abort();
    struct buf in;
    buf_init(&in);
    enum resp_read_result result = RESP_READ_MORE;
    for (size_t at = 0; at < len && result == RESP_READ_MORE; at += piece) {
        struct resp_value *value;
        buf_append(&in, bytes + at, len - at < piece ? len - at : piece);
        while ((result = resp_read(r, &in, &value)) == RESP_READ_VALUE) {
            tell(told, value);
            resp_value_destroy(value);
        }
    }
    if (result == RESP_READ_BAD)
        buf_append_str(told, resp_reader_error(r));
    buf_destroy(&in);
    resp_reader_destroy(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct buf whole, pieces;
    buf_init(&whole);
    buf_init(&pieces);
    read_all(bytes, len, len + 1, &whole);
    read_all(bytes, len, 1, &pieces);
    xassert(buf_pending(&whole) == buf_pending(&pieces));
    xassert(buf_pending(&whole) == 0 ||
            memcmp(buf_head(&whole), buf_head(&pieces), buf_pending(&whole)) == 0);
    buf_destroy(&whole);
    buf_destroy(&pieces);
    return 0;
}
