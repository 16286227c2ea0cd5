/* fuzz_request.c - libFuzzer target of the request parser.
 *
 * Byte 0 chooses limits and batch size, byte 1 how the stream is cut into pieces, the rest is a client's
 * stream; with bit 2 of byte 0 its first byte 0x01 stands for a run of nearly 64 KiB, so that short inputs
 * reach the limits of lines. Properties: the stream in one piece, byte by byte and in pieces of any size
 * gives the same requests and the same error; no request reaches outside the bytes that were sent; no
 * request comes before the bytes that the parser said it wanted; a trimmed parser goes on as before.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xassert.h"
#include "resp/resp_parse.h"

#define BATCH_MAX 16
#define RUN_BYTES (RESP_LINE_MAX - 8)

struct stream {
    const char *bytes;
    size_t len;
    size_t run_from, run_to; /* arrives in one piece: byte by byte is slow, and only its end is of interest */
    struct resp_limits limits;
    int batch_max;
};

/* How a stream is cut: piece 0 means pieces of pseudo-random sizes. */
struct cut {
    size_t piece;
    uint32_t random;
};

static size_t
next_piece(const struct stream *s, size_t at, struct cut *cut)
{
    if (at >= s->run_from && at < s->run_to)
        return s->run_to - at;
    if (cut->piece != 0)
        return cut->piece;
    cut->random = cut->random * 1664525 + 1013904223;
    return 1 + (cut->random >> 24) % (2u << (cut->random >> 16 & 7));
}

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
batch(struct resp_parser *p, struct buf *in, const struct stream *s, struct buf *told)
{
    struct resp_request request[BATCH_MAX];
    enum resp_parse_result result = RESP_PARSE_REQUEST;
    int n = 0;
    size_t bytes = 0, before = buf_pending(in);
    while (n < s->batch_max && (result = resp_parse(p, in, &s->limits, &request[n])) == RESP_PARSE_REQUEST)
        bytes += request[n++].bytes;
    for (int i = 0; i < n; i++)
        tell(told, &request[i], in);
    xassert(result != RESP_PARSE_FULL || n > 0);
    resp_parser_release(p, in);
    xassert(before - buf_pending(in) >= bytes);
    return result;
}

static void
parse(const struct stream *s, struct cut cut, struct buf *told)
{
    struct resp_parser p;
    struct buf in;
    resp_parser_init(&p);
    buf_init(&in);
    enum resp_parse_result result = RESP_PARSE_MORE;
    size_t wanted = 0;
    for (size_t at = 0; at < s->len && result == RESP_PARSE_MORE;) {
        size_t piece = next_piece(s, at, &cut), n = s->len - at < piece ? s->len - at : piece;
        size_t told_before = told->len;
        buf_append(&in, s->bytes + at, n);
        at += n;
        do
            result = batch(&p, &in, s, told);
        while (result == RESP_PARSE_REQUEST || result == RESP_PARSE_FULL);
        xassert(n >= wanted || told->len == told_before);
        wanted = result == RESP_PARSE_MORE && n < wanted ? wanted - n : 0;
        if (result == RESP_PARSE_MORE && p.wanted > wanted)
            wanted = p.wanted;
        resp_parser_trim(&p);
    }
    if (result == RESP_PARSE_BAD) {
        char text[64];
        resp_parser_error(&p, text);
        buf_append_str(told, text);
    }
    resp_parser_destroy(&p);
    buf_destroy(&in);
}

static bool
same(const struct buf *a, const struct buf *b)
{
    return buf_pending(a) == buf_pending(b) &&
           (buf_pending(a) == 0 || memcmp(buf_head(a), buf_head(b), buf_pending(a)) == 0);
}

/* The stream itself, with the run put in; returns where that is, or the stream's length. */
static size_t
unfold(const uint8_t *bytes, size_t len, bool run, struct buf *stream)
{
    const uint8_t *at = run ? memchr(bytes, 1, len) : NULL;
    size_t front = at != NULL ? (size_t)(at - bytes) : len;
    buf_append(stream, bytes, front);
    if (at == NULL)
        return front;
    xassert(buf_reserve(stream, RUN_BYTES));
    memset(stream->data + stream->len, 'x', RUN_BYTES);
    stream->len += RUN_BYTES;
    buf_append(stream, at + 1, len - front - 1);
    return front;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct buf stream, whole, pieces;
    if (len < 3)
        return 0;
    buf_init(&stream);
    size_t run = unfold(bytes + 2, len - 2, bytes[0] & 4, &stream);
    struct stream s = {
        .bytes = buf_head(&stream),
        .len = buf_pending(&stream),
        .run_from = run,
        .run_to = run + RUN_BYTES - 8,
        .limits = { .bulk_max = bytes[0] & 2 ? 20000 : INT64_MAX, .unauthenticated = bytes[0] & 1 },
        .batch_max = 1 + (bytes[0] >> 4) % BATCH_MAX,
    };
    buf_init(&whole);
    parse(&s, (struct cut){ .piece = s.len }, &whole);
    const struct cut cuts[] = { { .piece = 1 }, { .random = bytes[1] } };
    for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
        buf_init(&pieces);
        parse(&s, cuts[i], &pieces);
        xassert(same(&whole, &pieces));
        buf_destroy(&pieces);
    }
    buf_destroy(&whole);
    buf_destroy(&stream);
    return 0;
}
