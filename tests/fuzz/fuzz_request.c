/* fuzz_request.c - libFuzzer target of the request parser.
 *
 * The first input byte chooses limits and batch size, the rest is a client's stream. Property: parsing it
 * in one piece and byte by byte gives the same requests and the same error; no request reaches outside
 * the bytes that were sent.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xassert.h"
#include "resp/resp_parse.h"

#define BATCH_MAX 16

static void
tell(struct buf *told, const struct resp_request *request, const struct buf *in)
{
    buf_printf(told, "%d:", request->argc);
    xassert(request->argc > 0);
    for (int i = 0; i < request->argc; i++) {
        const struct resp_arg *arg = &request->argv[i];
        xassert(arg->data >= buf_head(in) && arg->len <= buf_pending(in) &&
                arg->data + arg->len <= buf_head(in) + buf_pending(in));
        buf_printf(told, "%zu=", arg->len);
        buf_append(told, arg->data, arg->len);
    }
}

static enum resp_parse_result
batch(struct resp_parser *p, struct buf *in, const struct resp_limits *limits, int batch_max,
      struct buf *told)
{
    struct resp_request request[BATCH_MAX];
    enum resp_parse_result result = RESP_PARSE_REQUEST;
    int n = 0;
    size_t bytes = 0, before = buf_pending(in);
    while (n < batch_max && (result = resp_parse(p, in, limits, &request[n])) == RESP_PARSE_REQUEST)
        bytes += request[n++].bytes;
    for (int i = 0; i < n; i++)
        tell(told, &request[i], in);
    xassert(result != RESP_PARSE_FULL || n > 0);
    resp_parser_release(p, in);
    xassert(before - buf_pending(in) >= bytes);
    return result;
}

static void
parse(const uint8_t *bytes, size_t len, size_t piece, const struct resp_limits *limits, int batch_max,
      struct buf *told)
{
    struct resp_parser p;
    struct buf in;
    resp_parser_init(&p);
    buf_init(&in);
    enum resp_parse_result result = RESP_PARSE_MORE;
    for (size_t at = 0; at < len && result == RESP_PARSE_MORE; at += piece) {
        buf_append(&in, bytes + at, len - at < piece ? len - at : piece);
        do
            result = batch(&p, &in, limits, batch_max, told);
        while (result == RESP_PARSE_REQUEST || result == RESP_PARSE_FULL);
    }
    if (result == RESP_PARSE_BAD) {
        char text[64];
        resp_parser_error(&p, text);
        buf_append_str(told, text);
    }
    resp_parser_destroy(&p);
    buf_destroy(&in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    struct resp_limits limits = { .bulk_max = bytes[0] & 2 ? 20000 : INT64_MAX,
                                  .unauthenticated = bytes[0] & 1 };
    int batch_max = 1 + (bytes[0] >> 4) % BATCH_MAX;
    struct buf whole, pieces;
    buf_init(&whole);
    buf_init(&pieces);
    parse(bytes + 1, len - 1, len, &limits, batch_max, &whole);
    parse(bytes + 1, len - 1, 1, &limits, batch_max, &pieces);
    xassert(buf_pending(&whole) == buf_pending(&pieces));
    xassert(buf_pending(&whole) == 0 ||
            memcmp(buf_head(&whole), buf_head(&pieces), buf_pending(&whole)) == 0);
    buf_destroy(&whole);
    buf_destroy(&pieces);
    return 0;
}
