/* fuzz_aof.c - libFuzzer target of append-only files.
 *
 * Byte 0 chooses. An even one: the rest is a file. Properties: what is handed out lies in the image, in ascending order; cut at the
 * place that is told, the file is whole and has the same commands; without looking at hashes there are as many or more.
 * An odd one: the rest is cut at every 0xff into the contents of groups, of which a file of ours is made. If that is whole, one byte
 * of it (where and which, the input's length and checksum say) is turned: then the file is no longer whole, or has the same commands,
 * and those handed out before are the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/buf.h"
#include "base/xassert.h"
#include "format/aof_check.h"

static const struct aof_head head = { .lineage = "a fuzzed lineage", .first_ticket = 1 };

struct seen {
    enum aof_in_result result;
    struct buf commands; /* a text of all words */
    uint64_t count;
    size_t whole, error;
    bool half; /* a group whose hash fits went wrong half-way: nobody writes that, but its first commands were handed out */
};

static void
look(const char *bytes, size_t n, unsigned flags, struct seen *s)
{
    struct aof_in in;
    size_t before = 0;
    *s = (struct seen){ 0 };
    aof_in_open(&in, bytes, n, 0, flags);
    while ((s->result = aof_in_next(&in)) == AOF_IN_COMMAND) {
        xassert(in.argc > 0 && in.offset >= before && in.end > in.offset && in.end <= n && in.whole <= in.offset);
        before = in.end;
        for (int i = 0; i < in.argc; i++) {
            xassert(in.argv[i].data >= bytes && in.argv[i].data + in.argv[i].len < bytes + n);
            buf_printf(&s->commands, "%zu:", in.argv[i].len);
            buf_append(&s->commands, in.argv[i].data, in.argv[i].len);
        }
        s->count++;
    }
    s->whole = in.whole;
    s->error = (size_t)in.error.offset;
    xassert(s->result != AOF_IN_NO_MEMORY && s->whole <= n && !buf_failed(&s->commands));
    s->half = s->whole < before;
    xassert(!s->half || (in.grouped && s->result == AOF_IN_BAD));
    xassert(s->result == AOF_IN_END ? s->whole == n : s->error < n);
    aof_in_close(&in);
}

/* Are one's commands the first of the other's? */
static bool
begins(const struct seen *one, const struct seen *other)
{
    size_t n = buf_pending(&one->commands);
    return one->count <= other->count && n <= buf_pending(&other->commands) &&
           (n == 0 || memcmp(buf_head(&one->commands), buf_head(&other->commands), n) == 0);
}

static void
read_file(const uint8_t *bytes, size_t n)
{
    char *image = malloc(n + 1); /* exact: a step beyond is seen */
    struct seen all, cut, trusting;
    xassert(image != NULL);
    image = realloc(image, n > 0 ? n : 1);
    memcpy(image, bytes, n);
    look(image, n, 0, &all);
    look(image, all.whole, 0, &cut);
    look(image, n, AOF_IN_TRUST, &trusting);
    xassert(cut.result == AOF_IN_END && begins(&cut, &all) && (cut.count == all.count || all.half));
    xassert(begins(&all, &trusting));
    buf_destroy(&all.commands);
    buf_destroy(&cut.commands);
    buf_destroy(&trusting.commands);
    free(image);
}

static void
put_group(struct buf *to, uint64_t ticket, const uint8_t *bytes, size_t n)
{
    char line[AOF_GROUP_LINE];
    const struct iovec piece = { .iov_base = (void *)bytes, .iov_len = n };
    struct aof_group g = { .first = ticket, .last = n == 0 ? ticket - 1 : ticket, .durable = ticket - 1, .bytes = n };
    g.hash = aof_group_hash(&piece, 1);
    aof_group_render(line, &head, &g);
    buf_append(to, line, sizeof line);
    if (n > 0)
        buf_append(to, bytes, n);
}

/* A file of groups, with a mark at the end. */
static void
make_file(struct buf *to, const uint8_t *bytes, size_t n)
{
    char line[AOF_HEAD_LINE];
    uint64_t ticket = 1;
    aof_head_render(line, &head);
    buf_append(to, line, sizeof line);
    for (;;) {
        const uint8_t *end = n == 0 ? NULL : memchr(bytes, 0xff, n);
        size_t part = end == NULL ? n : (size_t)(end - bytes);
        put_group(to, ticket, bytes, part);
        ticket += part > 0;
        if (end == NULL)
            break;
        bytes = end + 1;
        n -= part + 1;
    }
    put_group(to, ticket, NULL, 0);
}

static void
flip_groups(const uint8_t *bytes, size_t n)
{
    struct buf file;
    struct seen right, wrong;
    uint64_t choice = XXH3_64bits(bytes, n);
    buf_init(&file);
    make_file(&file, bytes, n);
    xassert(!buf_failed(&file));
    look(buf_head(&file), buf_pending(&file), 0, &right);
    xassert(right.result != AOF_IN_TORN);
    if (right.result == AOF_IN_END) {
        buf_head(&file)[choice % buf_pending(&file)] ^= (char)(1 + (choice >> 32) % 255);
        look(buf_head(&file), buf_pending(&file), 0, &wrong);
        xassert(wrong.result != AOF_IN_END && begins(&wrong, &right));
        buf_destroy(&wrong.commands);
    }
    buf_destroy(&right.commands);
    buf_destroy(&file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    if (bytes[0] % 2 == 0)
        read_file(bytes + 1, len - 1);
    else
        flip_groups(bytes + 1, len - 1);
    return 0;
}
