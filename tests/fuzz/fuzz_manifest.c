/* fuzz_manifest.c - libFuzzer target of manifests of append-only logs.
 *
 * Byte 0 chooses: with bit 0 a right seal is put in front of the rest. Properties: what is read can be written and read again, to the
 * same files; what is refused has a line; one turned byte of a sealed manifest (where and which, the input's checksum says) is refused,
 * or changes no file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/xassert.h"
#include "format/aof_manifest.h"

static bool
read_manifest(struct aof_manifest *m, const struct buf *text)
{
    struct aof_error e;
    aof_manifest_init(m);
    enum aof_manifest_result result = aof_manifest_parse(m, buf_head(text), buf_pending(text), &e);
    xassert(result != AOF_MANIFEST_NO_MEMORY);
    xassert(result == AOF_MANIFEST_OK || (m->files == 0 && e.text[0] != '\0' && e.offset <= buf_pending(text)));
    return result == AOF_MANIFEST_OK;
}

/* By type, as they are written. */
static void
check_same(const struct aof_manifest *a, const struct aof_manifest *b)
{
    static const enum aof_file_type types[] = { AOF_FILE_BASE, AOF_FILE_HISTORY, AOF_FILE_INCREMENT };
    size_t at = 0;
    xassert(a->files == b->files);
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < a->files; i++) {
            const struct aof_file *f = &a->file[i], *g = &b->file[at];
            if (f->type != types[t])
                continue;
            xassert(f->type == g->type && f->sequence == g->sequence && strcmp(f->name, g->name) == 0);
            xassert(aof_name_ok(f->name));
            at++;
        }
    }
}

static void
check_again(const struct aof_manifest *m)
{
    struct aof_manifest again, flipped;
    struct buf text;
    buf_init(&text);
    aof_manifest_format(m, &text);
    xassert(!buf_failed(&text) && (m->files == 0 || read_manifest(&again, &text)));
    if (m->files > 0) {
        check_same(m, &again);
        xassert(again.sealed);
        uint64_t choice = XXH3_64bits(buf_head(&text), buf_pending(&text));
        buf_head(&text)[(choice >> 8) % buf_pending(&text)] ^= (char)(1 + choice % 255);
        if (read_manifest(&flipped, &text))
            check_same(m, &flipped);
        aof_manifest_destroy(&flipped);
        aof_manifest_destroy(&again);
    }
    buf_destroy(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct aof_manifest m;
    struct buf text;
    if (len == 0)
        return 0;
    buf_init(&text);
    if (bytes[0] & 1)
        buf_printf(&text, "#KVM %016llx\n", (unsigned long long)XXH3_64bits(bytes + 1, len - 1));
    buf_append(&text, bytes + 1, len - 1);
    if (buf_reserve(&text, 1) && read_manifest(&m, &text))
        check_again(&m);
    aof_manifest_destroy(&m);
    buf_destroy(&text);
    return 0;
}
