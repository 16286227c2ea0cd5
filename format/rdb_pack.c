/* rdb_pack.c - listpack, ziplist, zipmap (see rdb_pack.h).
 *
 *   listpack  u32 bytes, u16 strings, entries, 0xFF      entry: encoding with content, then its size backwards
 *   ziplist   u32 bytes, u32 tail, u16 strings, entries, 0xFF   entry: size of the one before, encoding, content
 *   zipmap    u8 pairs, then length and key, length, u8 free, value and free bytes; 0xFF
 *
 * Process: any. Locks: none. Fails: damaged bytes are told; the buffer's failure is sticky.
 */
#include "format/rdb_pack.h"

#include <string.h>

#define PACK_END 0xFF
#define LISTPACK_HEAD 6u
#define ZIPLIST_HEAD 10u
#define STRINGS_UNKNOWN UINT16_MAX
#define ZIP_BIG 254u

/* A little-endian number of 1 to 8 bytes; is_signed extends its sign. */
static int64_t
little(const uint8_t *p, size_t bytes, bool is_signed)
{
    uint64_t v = 0;
    for (size_t i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    if (is_signed && bytes < 8 && p[bytes - 1] >> 7)
        v |= ~0ull << (8 * bytes);
    return (int64_t)v;
}

/* What an entry's first bytes say: how many they are, and either a number or how many bytes of string follow. */
struct head {
    size_t bytes, content; /* content: of the string, or of the number behind the first byte */
    bool is_number;
    int64_t number;        /* if content is 0 */
};

/* Takes a string or number with its head at p, where n bytes are left; returns its size, 0: it does not fit. */
static size_t
take(const struct head *h, const uint8_t *p, size_t n, struct rdb_string *s)
{
    if (h->bytes > n || h->content > n - h->bytes)
        return 0;
    if (h->is_number) {
        rdb_string_set_int(s, h->content ? little(p + h->bytes, h->content, true) : h->number);
    } else {
        s->bytes = (const char *)p + h->bytes;
        s->len = h->content;
    }
    return h->bytes + h->content;
}

/* ---- listpack ----------------------------------------------------------------------------------------------------- */

static bool
listpack_head(const uint8_t *p, size_t n, struct head *h)
{
    uint8_t b = p[0];
    *h = (struct head){.bytes = 1};
    if (b < 0x80) {
        h->is_number = true;
        h->number = b;
    } else if (b < 0xC0) {
        h->content = b & 0x3F;
    } else if (b < 0xE0) {
        if (n < 2)
            return false;
        h->bytes = 2;
        h->is_number = true;
        h->number = (b & 0x1F) << 8 | p[1];
        h->number -= h->number >= 4096 ? 8192 : 0;
    } else if (b < 0xF0) {
        if (n < 2)
            return false;
        h->bytes = 2;
        h->content = (size_t)(b & 0x0F) << 8 | p[1];
    } else if (b == 0xF0) {
        if (n < 5)
            return false;
        h->bytes = 5;
        h->content = (size_t)little(p + 1, 4, false);
    } else if (b <= 0xF4) {
        static const uint8_t sizes[] = {2, 3, 4, 8};
        h->is_number = true;
        h->content = sizes[b - 0xF1];
    } else {
        return false;
    }
    return true;
}

/* The size of an entry as it stands behind it: 7 bits a byte, the highest first. Returns how many bytes. */
static size_t
backward_size(size_t size, uint8_t out[5])
{
    size_t n = size <= 127 ? 1 : size < 16383 ? 2 : size < 2097151 ? 3 : size < 268435455 ? 4 : 5;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)((size >> (7 * (n - 1 - i)) & 127) | (i ? 128 : 0));
    return n;
}

static bool
listpack_next(struct rdb_pack *p, struct rdb_string *s)
{
    struct head h;
    uint8_t back[5];
    const uint8_t *at = p->bytes + p->at;
    size_t left = p->n - 1 - p->at; /* without the end mark */
    size_t size = listpack_head(at, left, &h) ? take(&h, at, left, s) : 0;
    if (size == 0)
        return false;
    size_t n = backward_size(size, back);
    if (n > left - size || memcmp(at + size, back, n) != 0)
        return false;
    p->at += size + n;
    return true;
}

/* ---- ziplist -------------------------------------------------------------------------------------------------------- */

static bool
ziplist_head(const uint8_t *p, size_t n, struct head *h)
{
    uint8_t b = p[0];
    *h = (struct head){.bytes = 1};
    switch (b >> 6) {
    case 0:
        h->content = b;
        return true;
    case 1:
        h->bytes = 2;
        h->content = n < 2 ? 0 : (size_t)(b & 0x3F) << 8 | p[1];
        return n >= 2;
    case 2:
        h->bytes = 5;
        h->content = n < 5 ? 0 : (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        return b == 0x80 && n >= 5;
    }
    h->is_number = true;
    h->content = b == 0xC0 ? 2 : b == 0xD0 ? 4 : b == 0xE0 ? 8 : b == 0xF0 ? 3 : b == 0xFE ? 1 : 0;
    h->number = (b & 0x0F) - 1;
    return h->content || (b >= 0xF1 && b <= 0xFD);
}

static bool
ziplist_next(struct rdb_pack *p, struct rdb_string *s)
{
    struct head h;
    const uint8_t *at = p->bytes + p->at;
    size_t left = p->n - 1 - p->at, before = at[0] < ZIP_BIG ? 1 : 5;
    if (at[0] == PACK_END || left <= before || (before == 1 ? at[0] : (size_t)little(at + 1, 4, false)) != p->last)
        return false;
    size_t size = ziplist_head(at + before, left - before, &h) ? take(&h, at + before, left - before, s) : 0;
    if (size == 0)
        return false;
    p->last = before + size;
    p->at += p->last;
    return true;
}

/* ---- zipmap ------------------------------------------------------------------------------------------------------------ */

static bool
zipmap_next(struct rdb_pack *p, struct rdb_string *s)
{
    const uint8_t *at = p->bytes + p->at;
    size_t left = p->n - 1 - p->at, head = at[0] < ZIP_BIG ? 1 : 5;
    if (at[0] == PACK_END || left < head + p->is_value)
        return false;
    size_t len = head == 1 ? at[0] : (size_t)little(at + 1, 4, false), spare = p->is_value ? at[head] : 0;
    head += p->is_value;
    if (at[0] == ZIP_BIG && len < ZIP_BIG) /* Redis refuses lengths that are longer than they need be */
        return false;
    if (len > left - head || spare > left - head - len)
        return false;
    s->bytes = (const char *)at + head;
    s->len = len;
    p->at += head + len + spare;
    p->is_value = !p->is_value;
    return true;
}

int64_t
rdb_pack_little(const uint8_t *p, size_t bytes)
{
    return little(p, bytes, true);
}

/* ---- any ------------------------------------------------------------------------------------------------------------------ */

static uint64_t
strings_said(const uint8_t *p)
{
    uint64_t n = (uint64_t)little(p, 2, false);
    return n == STRINGS_UNKNOWN ? UINT64_MAX : n;
}

bool
rdb_pack_open(struct rdb_pack *p, enum rdb_pack_form form, const uint8_t *bytes, size_t n)
{
    static const size_t heads[] = {[RDB_LISTPACK] = LISTPACK_HEAD, [RDB_ZIPLIST] = ZIPLIST_HEAD, [RDB_ZIPMAP] = 1};
    *p = (struct rdb_pack){.bytes = bytes, .n = n, .at = heads[form], .form = form};
    if (n < heads[form] + 1 || bytes[n - 1] != PACK_END)
        return false;
    if (form == RDB_ZIPMAP) {
        p->said = bytes[0] >= ZIP_BIG ? UINT64_MAX : bytes[0] * 2ull;
        return true;
    }
    p->said = strings_said(bytes + heads[form] - 2);
    return (uint64_t)little(bytes, 4, false) == n;
}

int
rdb_pack_next(struct rdb_pack *p, struct rdb_string *s)
{
    if (p->at == p->n - 1) {
        bool tail = p->form != RDB_ZIPLIST || (uint64_t)little(p->bytes + 4, 4, false) + p->last == p->at ||
            (p->seen == 0 && little(p->bytes + 4, 4, false) == ZIPLIST_HEAD);
        return tail && !p->is_value && (p->said == UINT64_MAX || p->said == p->seen) ? 0 : -1;
    }
    bool ok = p->form == RDB_LISTPACK ? listpack_next(p, s) : p->form == RDB_ZIPLIST ? ziplist_next(p, s) : zipmap_next(p, s);
    p->seen += ok;
    return ok ? 1 : -1;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

size_t
rdb_listpack_begin(struct buf *out)
{
    static const uint8_t head[LISTPACK_HEAD];
    size_t at = out->len;
    buf_append(out, head, sizeof head);
    return at;
}

/* The encoding of a number with its content; returns how many bytes. */
static size_t
number_entry(int64_t v, uint8_t out[9])
{
    static const struct {
        int64_t limit;
        uint8_t mark, bytes;
    } sizes[] = {{1ll << 15, 0xF1, 2}, {1ll << 23, 0xF2, 3}, {1ll << 31, 0xF3, 4}, {INT64_MAX, 0xF4, 8}};
    if (v >= 0 && v <= 127) {
        out[0] = (uint8_t)v;
        return 1;
    }
    if (v >= -4096 && v <= 4095) {
        out[0] = (uint8_t)(0xC0 | (v >> 8 & 0x1F));
        out[1] = (uint8_t)v;
        return 2;
    }
    unsigned i = 0;
    while (i < 3 && (v >= sizes[i].limit || v < -sizes[i].limit))
        i++;
    out[0] = sizes[i].mark;
    memcpy(out + 1, &v, sizes[i].bytes); /* little-endian */
    return 1u + sizes[i].bytes;
}

static size_t
string_head(size_t n, uint8_t out[9])
{
    uint32_t v = (uint32_t)n;
    if (n < 64) {
        out[0] = (uint8_t)(0x80 | n);
        return 1;
    }
    if (n < 4096) {
        out[0] = (uint8_t)(0xE0 | n >> 8);
        out[1] = (uint8_t)n;
        return 2;
    }
    out[0] = 0xF0;
    memcpy(out + 1, &v, sizeof v);
    return 5;
}

void
rdb_listpack_add(struct buf *out, const char *bytes, size_t n)
{
    uint8_t head[9], back[5];
    int64_t number;
    bool is_number = decimal_read(bytes, n, &number);
    size_t h = is_number ? number_entry(number, head) : string_head(n, head);
    size_t content = is_number ? 0 : n;
    buf_append(out, head, h);
    buf_append(out, bytes, content);
    buf_append(out, back, backward_size(h + content, back));
}

void
rdb_listpack_end(struct buf *out, size_t at, uint64_t strings)
{
    uint8_t end = PACK_END;
    buf_append(out, &end, 1);
    if (buf_failed(out))
        return;
    uint32_t bytes = (uint32_t)(out->len - at);
    uint16_t count = strings < STRINGS_UNKNOWN ? (uint16_t)strings : STRINGS_UNKNOWN;
    memcpy(out->data + at, &bytes, sizeof bytes);
    memcpy(out->data + at + sizeof bytes, &count, sizeof count);
}
