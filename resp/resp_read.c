/* resp_read.c - reads replies (RESP2 and RESP3) into a tree.
 *
 * A stack of frames, one per open collection, says where the next value goes; it takes the place of
 * recursion and survives between calls. A line is consumed when it is complete; a bulk string's bytes
 * stay in the caller's buffer until all of them are there (its header is gone by then), so nothing is
 * scanned twice and the peer's announced length allocates nothing. Children are made as they arrive.
 *
 * Attributes ('|') are collections with a frame of their own whose tree is dropped at its end; the value
 * they belong to then takes the place they did not fill.
 *
 * Process: any; one thread. Locks: none. Fails: memory and the peer's mistakes are returned and final.
 */
#include "resp/resp_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/xassert.h"

#define CHILDREN_FIRST 8u

/* An open collection. Its value does not move while the frame is open: only the innermost one grows. */
struct frame {
    struct resp_value *value;
    size_t missing; /* children still to come */
    size_t cap;     /* of value->child */
    bool attribute; /* value is a root of its own, to be dropped */
};

struct resp_reader {
    struct frame stack[RESP_READ_DEPTH_MAX];
    unsigned depth;          /* frames in use */
    struct resp_value *root; /* the reply in progress; NULL between replies */
    struct resp_value *bulk; /* waits for its bytes */
    size_t bulk_len;
    size_t scanned; /* bytes of the next line known to hold no LF */
    size_t values;  /* of the reply so far */
    const char *error;
    bool nomem;
};

struct resp_reader *
resp_reader_create(void)
{
    return calloc(1, sizeof(struct resp_reader));
}

/* Bounded recursion: no tree is deeper than RESP_READ_DEPTH_MAX. */
static void
value_clear(struct resp_value *v)
{
    for (size_t i = 0; i < v->count; i++)
        value_clear(&v->child[i]);
    free(v->child);
    free(v->text);
}

void
resp_value_destroy(struct resp_value *value)
{
    if (value == NULL)
        return;
    value_clear(value);
    free(value);
}

void
resp_reader_destroy(struct resp_reader *r)
{
    if (r == NULL)
        return;
    for (unsigned i = 0; i < r->depth; i++)
        if (r->stack[i].attribute)
            resp_value_destroy(r->stack[i].value);
    resp_value_destroy(r->root);
    free(r);
}

const char *
resp_reader_error(const struct resp_reader *r)
{
    return r->nomem ? "out of memory" : r->error;
}

/* Remembers why; false, for the caller to return. */
static bool
fail(struct resp_reader *r, const char *error)
{
    r->error = error;
    return false;
}

static bool
nomem(struct resp_reader *r)
{
    r->nomem = true;
    return false;
}

/* ---- places ------------------------------------------------------------------------------------- */

static struct resp_value *
new_root(struct resp_reader *r)
{
    struct resp_value *v = calloc(1, sizeof(*v));
    if (v == NULL)
        nomem(r);
    return v;
}

static bool
children_grow(struct resp_reader *r, struct frame *f)
{
    size_t cap = f->cap == 0 ? CHILDREN_FIRST : f->cap * 2;
    if (cap > f->value->count + f->missing)
        cap = f->value->count + f->missing;
    struct resp_value *child = realloc(f->value->child, cap * sizeof(*child));
    if (child == NULL)
        return nomem(r);
    f->value->child = child;
    f->cap = cap;
    return true;
}

/* Where the value that begins now goes; zeroed. NULL: memory is short. */
static struct resp_value *
next_place(struct resp_reader *r)
{
    if (r->depth == 0) {
        r->root = new_root(r);
        return r->root;
    }
    struct frame *f = &r->stack[r->depth - 1];
    if (f->value->count == f->cap && !children_grow(r, f))
        return NULL;
    struct resp_value *v = &f->value->child[f->value->count++];
    f->missing--;
    memset(v, 0, sizeof(*v));
    return v;
}

static void
open_frame(struct resp_reader *r, struct resp_value *v, size_t children, bool attribute)
{
    xassert(r->depth < RESP_READ_DEPTH_MAX); /* judged before v was made */
    r->stack[r->depth++] =
        (struct frame){ .value = v, .missing = children, .attribute = attribute };
}

/* Closes what is full. True: the reply is complete. */
static bool
close_frames(struct resp_reader *r)
{
    while (r->depth > 0 && r->stack[r->depth - 1].missing == 0) {
        struct frame *f = &r->stack[--r->depth];
        if (f->attribute) {
            resp_value_destroy(f->value);
            return false; /* the value it belongs to follows */
        }
    }
    return r->depth == 0;
}

/* ---- values ------------------------------------------------------------------------------------- */

static bool
parse_int(const char *s, size_t n, int64_t *value)
{
    bool negative = n > 0 && s[0] == '-';
    size_t i = n > 0 && (s[0] == '-' || s[0] == '+');
    if (i == n || n - i > 19)
        return false;
    uint64_t v = 0;
    for (; i < n; i++) {
        unsigned digit = (unsigned)(unsigned char)s[i] - '0';
        if (digit > 9)
            return false;
        v = v * 10 + digit;
    }
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *value = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static bool
set_text(struct resp_reader *r, struct resp_value *v, const char *s, size_t n)
{
    v->text = malloc(n + 1);
    if (v->text == NULL)
        return nomem(r);
    memcpy(v->text, s, n);
    v->text[n] = '\0';
    v->len = n;
    return true;
}

/* "inf", "-inf", "nan" or a decimal number; strtod would take blanks and hexadecimal digits as well. */
static bool
parse_double(const char *text, double *value)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (strcmp(digits, "inf") != 0 && strcmp(digits, "nan") != 0 &&
        (*digits == '\0' || digits[strspn(digits, "0123456789.eE+-")] != '\0'))
        return false;
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0';
}

/* A value that is its line. */
static bool
scalar(struct resp_reader *r, struct resp_value *v, char type, const char *s, size_t n)
{
    switch (type) {
    case '+':
        v->type = RESP_SIMPLE;
        return set_text(r, v, s, n);
    case '-':
        v->type = RESP_ERROR;
        return set_text(r, v, s, n);
    case '(':
        v->type = RESP_BIGNUM;
        return set_text(r, v, s, n);
    case ':':
        v->type = RESP_INT;
        return parse_int(s, n, &v->integer) || fail(r, "invalid integer");
    case ',':
        v->type = RESP_DOUBLE;
        if (!set_text(r, v, s, n))
            return false;
        return parse_double(v->text, &v->number) || fail(r, "invalid double");
    case '#':
        v->type = RESP_BOOL;
        v->boolean = n == 1 && s[0] == 't';
        return (n == 1 && (s[0] == 't' || s[0] == 'f')) || fail(r, "invalid boolean");
    case '_':
        v->type = RESP_NULL;
        return n == 0 || fail(r, "invalid null");
    default:
        never_reached("scalar types are told apart by the caller");
    }
}

/* '$', '=' or '!': the header of a string. */
static bool
bulk(struct resp_reader *r, struct resp_value *v, char type, int64_t len)
{
    v->type = type == '!' ? RESP_ERROR : type == '=' ? RESP_VERBATIM : RESP_BULK;
    if (len == -1 && type == '$') {
        v->type = RESP_NULL;
        return true;
    }
    if (len < (type == '=' ? 4 : 0) || len > RESP_READ_BULK_MAX)
        return fail(r, "invalid bulk length");
    r->bulk = v;
    r->bulk_len = (size_t)len;
    return true;
}

static enum resp_type
collection_type(char type)
{
    switch (type) {
    case '%':
    case '|':
        return RESP_MAP;
    case '~':
        return RESP_SET;
    case '>':
        return RESP_PUSH;
    default:
        return RESP_ARRAY;
    }
}

/* '*', '%', '~', '>' or '|': the header of a collection. */
static bool
collection(struct resp_reader *r, char type, int64_t count)
{
    bool pairs = type == '%' || type == '|';
    if (count < -1 || (count == -1 && type != '*') ||
        count > (int64_t)(RESP_READ_VALUES_MAX - r->values) / (pairs ? 2 : 1))
        return fail(r, "invalid number of values");
    if (count >= 0 && r->depth == RESP_READ_DEPTH_MAX)
        return fail(r, "nested too deeply");
    struct resp_value *v = type == '|' ? new_root(r) : next_place(r);
    if (v == NULL)
        return false;
    v->type = count < 0 ? RESP_NULL : collection_type(type);
    v->null_array = count < 0;
    if (count >= 0)
        open_frame(r, v, (size_t)count * (pairs ? 2 : 1), type == '|');
    return true;
}

/* One line of n bytes, type byte first, without CRLF. */
static bool
take_line(struct resp_reader *r, const char *s, size_t n)
{
    if (n == 0 || strchr("+-:$*_,#(!=%~>|", s[0]) == NULL || s[0] == '\0')
        return fail(r, "unknown type byte");
    if (++r->values > RESP_READ_VALUES_MAX)
        return fail(r, "too many values in one reply");
    if (strchr("+-:_,#(", s[0]) != NULL) {
        struct resp_value *v = next_place(r);
        return v != NULL && scalar(r, v, s[0], s + 1, n - 1);
    }
    int64_t number;
    if (!parse_int(s + 1, n - 1, &number))
        return fail(r, "invalid length");
    if (strchr("$!=", s[0]) == NULL)
        return collection(r, s[0], number);
    struct resp_value *v = next_place(r);
    return v != NULL && bulk(r, v, s[0], number);
}

/* ---- bytes -------------------------------------------------------------------------------------- */

/* The open bulk, whose bytes and CRLF are all there. */
static bool
take_bulk(struct resp_reader *r, const char *s)
{
    struct resp_value *v = r->bulk;
    size_t n = r->bulk_len;
    r->bulk = NULL;
    if (memcmp(s + n, "\r\n", 2) != 0)
        return fail(r, "a string longer than announced");
    if (v->type == RESP_VERBATIM) {
        if (s[3] != ':')
            return fail(r, "verbatim string without format");
        memcpy(v->ext, s, 3);
        s += 4;
        n -= 4;
    }
    return set_text(r, v, s, n);
}

enum step { STEP_TAKEN, STEP_MORE, STEP_FAILED };

static enum step
step_bulk(struct resp_reader *r, struct buf *b)
{
    size_t needed = r->bulk_len + 2;
    if (buf_pending(b) < needed)
        return STEP_MORE;
    if (!take_bulk(r, buf_head(b)))
        return STEP_FAILED;
    buf_consume(b, needed);
    return STEP_TAKEN;
}

static enum step
step_line(struct resp_reader *r, struct buf *b)
{
    size_t n = buf_pending(b);
    const char *head = buf_head(b);
    const char *lf = n > r->scanned ? memchr(head + r->scanned, '\n', n - r->scanned) : NULL;
    size_t len = lf != NULL ? (size_t)(lf - head) : n;
    if (len > RESP_READ_LINE_MAX) {
        fail(r, "line too long");
        return STEP_FAILED;
    }
    if (lf == NULL) {
        r->scanned = n;
        return STEP_MORE;
    }
    r->scanned = 0;
    if (len == 0 || head[len - 1] != '\r') {
        fail(r, "line without CRLF");
        return STEP_FAILED;
    }
    if (!take_line(r, head, len - 1))
        return STEP_FAILED;
    buf_consume(b, len + 1);
    return STEP_TAKEN;
}

enum resp_read_result
resp_read(struct resp_reader *r, struct buf *b, struct resp_value **value)
{
    enum step step = r->error != NULL || r->nomem ? STEP_FAILED : STEP_TAKEN;
    while (step == STEP_TAKEN) { /* ends with the bytes */
        step = r->bulk != NULL ? step_bulk(r, b) : step_line(r, b);
        if (step != STEP_TAKEN || r->bulk != NULL || !close_frames(r) || r->root == NULL)
            continue;
        *value = r->root;
        r->root = NULL;
        r->values = 0;
        return RESP_READ_VALUE;
    }
    if (step == STEP_MORE)
        return RESP_READ_MORE;
    return r->nomem ? RESP_READ_NOMEM : RESP_READ_BAD;
}
