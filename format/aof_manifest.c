/* aof_manifest.c - the manifest of an append-only log (see aof_manifest.h).
 *
 * Every line is copied and split in place as redis-cli splits its lines (resp_split_next), so that quotes and escapes mean
 * what they mean in Redis. Where Redis would guess (a number with letters behind, a type of several letters, a word twice, a
 * file twice), this refuses: a manifest that was damaged must not become another one.
 */
#include "format/aof_manifest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/decimal.h"
#include "base/xassert.h"
#include "resp/resp_parse.h"

#define SEAL_HEAD "#KVM "
#define SEAL_BYTES (sizeof SEAL_HEAD - 1 + 16)
#define FILES_FIRST 8u
#define QUOTED_MAX (AOF_MANIFEST_LINE_MAX - 64) /* so that the line has room for sequence and type */

void
aof_manifest_init(struct aof_manifest *m)
{
    *m = (struct aof_manifest){ 0 };
}

void
aof_manifest_destroy(struct aof_manifest *m)
{
    free(m->file);
    aof_manifest_init(m);
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* Bytes of the name as put_name writes it, at most. */
static size_t
quoted_length(const char *name)
{
    size_t n = 2;
    for (; *name != '\0'; name++)
        n += (unsigned char)*name <= ' ' || (unsigned char)*name >= 0x7f ? 4 : 2;
    return n;
}

bool
aof_name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= AOF_NAME_MAX && quoted_length(name) <= QUOTED_MAX && strpbrk(name, "/\\") == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

bool
aof_manifest_add(struct aof_manifest *m, const char *name, int64_t sequence, enum aof_file_type type)
{
    xassert(aof_name_ok(name));
    if (m->files == m->cap) {
        size_t cap = m->cap == 0 ? FILES_FIRST : 2 * m->cap;
        struct aof_file *file = realloc(m->file, cap * sizeof *file);
        if (file == NULL)
            return false;
        m->file = file;
        m->cap = cap;
    }
    struct aof_file *f = &m->file[m->files++];
    *f = (struct aof_file){ .sequence = sequence, .type = type };
    memcpy(f->name, name, strlen(name) + 1);
    return true;
}

void
aof_manifest_remove(struct aof_manifest *m, size_t index)
{
    xassert(index < m->files);
    m->files--;
    memmove(&m->file[index], &m->file[index + 1], (m->files - index) * sizeof *m->file);
}

static const struct aof_file *
last_of(const struct aof_manifest *m, enum aof_file_type type)
{
    for (size_t i = m->files; i-- > 0;)
        if (m->file[i].type == type)
            return &m->file[i];
    return NULL;
}

const struct aof_file *
aof_manifest_base(const struct aof_manifest *m)
{
    return last_of(m, AOF_FILE_BASE);
}

const struct aof_file *
aof_manifest_last_increment(const struct aof_manifest *m)
{
    return last_of(m, AOF_FILE_INCREMENT);
}

int64_t
aof_manifest_sequence(const struct aof_manifest *m, enum aof_file_type type)
{
    const struct aof_file *f = last_of(m, type);
    return f != NULL ? f->sequence : 0;
}

static const struct aof_file *
named(const struct aof_manifest *m, const char *name)
{
    for (size_t i = 0; i < m->files; i++)
        if (strcmp(m->file[i].name, name) == 0)
            return &m->file[i];
    return NULL;
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

static bool
make_name(char *name, const char *prefix, const char *rest)
{
    int n = snprintf(name, AOF_NAME_MAX + 1, "%s%s", prefix, rest);
    return n > 0 && (size_t)n <= AOF_NAME_MAX;
}

bool
aof_name_base(char name[AOF_NAME_MAX + 1], const char *prefix, int64_t sequence, bool rdb)
{
    char rest[48];
    snprintf(rest, sizeof rest, ".%lld.base.%s", (long long)sequence, rdb ? "rdb" : "aof");
    return make_name(name, prefix, rest);
}

bool
aof_name_increment(char name[AOF_NAME_MAX + 1], const char *prefix, int64_t sequence)
{
    char rest[48];
    snprintf(rest, sizeof rest, ".%lld.incr.aof", (long long)sequence);
    return make_name(name, prefix, rest);
}

bool
aof_name_manifest(char name[AOF_NAME_MAX + 1], const char *prefix)
{
    return make_name(name, prefix, ".manifest");
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

/* A manifest while it is read. */
struct reading {
    struct aof_manifest *m;
    const char *bytes;
    size_t n, at; /* at: where the line begins */
    unsigned line;
    struct aof_error *error;
};

#define BAD(r, ...) (aof_error_set((r)->error, (r)->at, (r)->line, __VA_ARGS__), AOF_MANIFEST_BAD)

/* What a line says; NULL or empty: nothing. */
struct said {
    struct resp_arg file, sequence, type;
};

static bool
word_is(const struct resp_arg *a, const char *word)
{
    return a->len == strlen(word) && strncasecmp(a->data, word, a->len) == 0;
}

/* Splits the line (a copy: it is changed) and sorts out the words. */
static enum aof_manifest_result
split_line(struct reading *r, char *line, size_t n, struct said *said)
{
    char *at = line;
    struct resp_arg word, value;
    int more;
    while ((more = resp_split_next(&at, line + n, &word)) > 0) {
        more = resp_split_next(&at, line + n, &value);
        if (more == 0)
            return BAD(r, "the last word of the line has no value");
        if (more < 0)
            break;
        struct resp_arg *to = word_is(&word, "file") ? &said->file
                              : word_is(&word, "seq") ? &said->sequence
                              : word_is(&word, "type") ? &said->type
                                                       : NULL;
        if (to != NULL && to->data != NULL)
            return BAD(r, "the line says '%.*s' twice", (int)word.len, word.data);
        if (to != NULL)
            *to = value;
    }
    if (more < 0)
        return BAD(r, "a quote is not closed, or something stands right behind one");
    if (said->file.data == NULL || said->sequence.data == NULL || said->type.data == NULL)
        return BAD(r, "the line does not say all of file, seq and type");
    return AOF_MANIFEST_OK;
}

/* Checks what a line says by itself. */
static enum aof_manifest_result
judge_line(struct reading *r, const struct said *said, struct aof_file *f)
{
    if (said->file.len > AOF_NAME_MAX || memchr(said->file.data, '\0', said->file.len) != NULL)
        return BAD(r, "the file's name is longer than %u bytes or holds a NUL", AOF_NAME_MAX);
    memcpy(f->name, said->file.data, said->file.len);
    f->name[said->file.len] = '\0';
    if (!aof_name_ok(f->name))
        return BAD(r, "'%.100s' is no name of a file: a path is not allowed here", f->name);
    if (!decimal_read(said->sequence.data, said->sequence.len, &f->sequence) || f->sequence < 0)
        return BAD(r, "seq is no whole number from 0");
    if (said->type.len != 1 || memchr("bhi", *said->type.data, 3) == NULL)
        return BAD(r, "type is neither b (base) nor h (history) nor i (increment)");
    f->type = (enum aof_file_type)*said->type.data;
    return AOF_MANIFEST_OK;
}

/* Checks a file against those before it, and takes it. */
static enum aof_manifest_result
take_file(struct reading *r, const struct aof_file *f)
{
    if (f->type == AOF_FILE_BASE && aof_manifest_base(r->m) != NULL)
        return BAD(r, "a second base file, '%.100s'", f->name);
    if (f->type == AOF_FILE_INCREMENT && f->sequence <= aof_manifest_sequence(r->m, AOF_FILE_INCREMENT))
        return BAD(r, "the increments' sequence does not rise: %lld after %lld", (long long)f->sequence,
                   (long long)aof_manifest_sequence(r->m, AOF_FILE_INCREMENT));
    if (named(r->m, f->name) != NULL)
        return BAD(r, "the file '%.100s' is named a second time", f->name);
    return aof_manifest_add(r->m, f->name, f->sequence, f->type) ? AOF_MANIFEST_OK : AOF_MANIFEST_NO_MEMORY;
}

/* The seal of all that follows. */
static enum aof_manifest_result
read_seal(struct reading *r, const char *line, size_t n)
{
    char want[SEAL_BYTES + 1];
    size_t from = r->at + n + 1;
    if (r->line != 1)
        return BAD(r, "the manifest's checksum stands in another line than the first");
    snprintf(want, sizeof want, SEAL_HEAD "%016llx", (unsigned long long)XXH3_64bits(r->bytes + from, r->n - from));
    if (n != SEAL_BYTES || memcmp(line, want, n) != 0)
        return BAD(r, "the manifest was changed after it was written: its checksum does not fit");
    r->m->sealed = true;
    return AOF_MANIFEST_OK;
}

/* A line without its end. */
static enum aof_manifest_result
read_line(struct reading *r, const char *line, size_t n)
{
    char copy[AOF_MANIFEST_LINE_MAX];
    struct said said = { 0 };
    struct aof_file f = { 0 };
    if (n > AOF_MANIFEST_LINE_MAX || memchr(line, '\0', n) != NULL)
        return BAD(r, "the line is longer than %u bytes or holds a NUL", AOF_MANIFEST_LINE_MAX);
    if (n >= sizeof SEAL_HEAD - 1 && memcmp(line, SEAL_HEAD, sizeof SEAL_HEAD - 1) == 0)
        return read_seal(r, line, n);
    if (n > 0 && *line == '#')
        return AOF_MANIFEST_OK;
    memcpy(copy, line, n);
    enum aof_manifest_result result = split_line(r, copy, n, &said);
    if (result == AOF_MANIFEST_OK)
        result = judge_line(r, &said, &f);
    return result == AOF_MANIFEST_OK ? take_file(r, &f) : result;
}

static enum aof_manifest_result
read_lines(struct reading *r)
{
    enum aof_manifest_result result = AOF_MANIFEST_OK;
    if (r->n == 0)
        return BAD(r, "the manifest is empty");
    while (r->at < r->n && result == AOF_MANIFEST_OK) {
        const char *line = r->bytes + r->at, *end = memchr(line, '\n', r->n - r->at);
        r->line++;
        if (end == NULL)
            return BAD(r, "the last line has no end: the manifest is cut off");
        result = read_line(r, line, (size_t)(end - line));
        r->at = (size_t)(end - r->bytes) + 1;
    }
    return result;
}

enum aof_manifest_result
aof_manifest_parse(struct aof_manifest *m, const char *bytes, size_t n, struct aof_error *error)
{
    struct reading r = { .m = m, .bytes = bytes, .n = n, .error = error };
    m->files = 0;
    m->sealed = false;
    enum aof_manifest_result result = read_lines(&r);
    if (result != AOF_MANIFEST_OK)
        aof_manifest_destroy(m);
    return result;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

static bool
needs_quotes(const char *name)
{
    for (; *name != '\0'; name++)
        if (*name == '"' || *name == '\'' || (unsigned char)*name <= ' ' || (unsigned char)*name >= 0x7f)
            return true;
    return false;
}

/* The name as resp_split_next reads it: in quotes if it needs them. */
static void
put_name(struct buf *to, const char *name)
{
    if (!needs_quotes(name)) {
        buf_append_str(to, name);
        return;
    }
    buf_append_str(to, "\"");
    for (; *name != '\0'; name++) {
        unsigned char c = (unsigned char)*name;
        if (c == '"')
            buf_append_str(to, "\\\"");
        else if (c < ' ' || c >= 0x7f)
            buf_printf(to, "\\x%02x", c);
        else
            buf_append(to, name, 1);
    }
    buf_append_str(to, "\"");
}

static void
put_files(struct buf *to, const struct aof_manifest *m, enum aof_file_type type)
{
    for (size_t i = 0; i < m->files; i++) {
        const struct aof_file *f = &m->file[i];
        if (f->type != type)
            continue;
        buf_append_str(to, "file ");
        put_name(to, f->name);
        buf_printf(to, " seq %lld type %c\n", (long long)f->sequence, (char)f->type);
    }
}

void
aof_manifest_format(const struct aof_manifest *m, struct buf *to)
{
    char seal[SEAL_BYTES + 2];
    xassert(buf_pending(to) == 0);
    snprintf(seal, sizeof seal, SEAL_HEAD "%016x\n", 0);
    buf_append(to, seal, SEAL_BYTES + 1);
    put_files(to, m, AOF_FILE_BASE);
    put_files(to, m, AOF_FILE_HISTORY);
    put_files(to, m, AOF_FILE_INCREMENT);
    if (buf_failed(to))
        return;
    uint64_t hash = XXH3_64bits(buf_head(to) + SEAL_BYTES + 1, buf_pending(to) - SEAL_BYTES - 1);
    snprintf(seal, sizeof seal, SEAL_HEAD "%016llx\n", (unsigned long long)hash);
    memcpy(buf_head(to), seal, SEAL_BYTES + 1);
}
