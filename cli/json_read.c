/* json_read.c - a line of JSON taken apart (see json_read.h).
 *
 * One loop with a stack of open arrays and objects, whose depth is bounded. Decoded strings are never longer than their text, so
 * room for the line is room for all of them.
 */
#include "cli/json_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/xassert.h"
#include "cli/base64.h"

#define TOKENS_FIRST 64u
#define NUMBER_MAX 64u

/* ---- taking apart --------------------------------------------------------------------------------------------------------- */

static bool
fail(struct json_read *j, const char *wrong)
{
    j->wrong = wrong;
    return false;
}

static void
skip_blanks(struct json_read *j)
{
    while (j->at < j->n && strchr(" \t\r\n", j->text[j->at]) != NULL && j->text[j->at] != '\0')
        j->at++;
}

static char
peek(const struct json_read *j)
{
    return j->at < j->n ? j->text[j->at] : '\0';
}

static struct json_token *
push(struct json_read *j, enum json_type type)
{
    if (j->tokens == j->cap) {
        size_t cap = j->cap == 0 ? TOKENS_FIRST : 2 * j->cap;
        struct json_token *token = realloc(j->token, cap * sizeof *token);
        if (token == NULL) {
            fail(j, "out of memory");
            return NULL;
        }
        j->token = token;
        j->cap = cap;
    }
    j->token[j->tokens] = (struct json_token){ .type = type, .from = j->at, .next = j->tokens + 1 };
    return &j->token[j->tokens++];
}

static bool
is_hex(const char *s)
{
    for (unsigned i = 0; i < 4; i++)
        if (strchr("0123456789abcdefABCDEF", s[i]) == NULL || s[i] == '\0')
            return false;
    return true;
}

static bool
read_string(struct json_read *j)
{
    struct json_token *t = push(j, JSON_STRING);
    if (t == NULL)
        return false;
    t->from = ++j->at;
    while (j->at < j->n && j->text[j->at] != '"') {
        unsigned char c = (unsigned char)j->text[j->at++];
        if (c < 0x20)
            return fail(j, "a control character in a string");
        if (c != '\\')
            continue;
        t->escaped = true;
        char e = peek(j);
        if (e == '\0' || strchr("\"\\/bfnrtu", e) == NULL || (e == 'u' && (j->n - j->at < 5 || !is_hex(j->text + j->at + 1))))
            return fail(j, "an escape that JSON does not know");
        j->at += e == 'u' ? 5 : 1;
    }
    if (j->at == j->n)
        return fail(j, "a string without an end");
    t->to = j->at++;
    return true;
}

static bool
read_word(struct json_read *j)
{
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = { { "null", JSON_NULL }, { "false", JSON_FALSE }, { "true", JSON_TRUE } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i].word);
        if (j->n - j->at >= len && memcmp(j->text + j->at, words[i].word, len) == 0) {
            struct json_token *t = push(j, words[i].type);
            j->at += len;
            if (t != NULL)
                t->to = j->at;
            return t != NULL;
        }
    }
    return fail(j, "a value was expected");
}

static bool
read_number(struct json_read *j)
{
    struct json_token *t = push(j, JSON_NUMBER);
    if (t == NULL)
        return false;
    while (j->at < j->n && j->text[j->at] != '\0' && strchr("+-.eE0123456789", j->text[j->at]) != NULL)
        j->at++;
    t->to = j->at;
    double number;
    return json_double(j, j->tokens - 1, &number) || fail(j, "a number that is none");
}

static bool
read_scalar(struct json_read *j)
{
    char c = peek(j);
    if (c == '"')
        return read_string(j);
    return c == '-' || (c >= '0' && c <= '9') ? read_number(j) : read_word(j);
}

/* The open arrays and objects. */
struct stack {
    size_t open[JSON_DEPTH_MAX];
    unsigned depth;
};

/* Closes all that is closed here, and steps over the comma behind. *ended: the whole is read. */
static bool
close_all(struct json_read *j, struct stack *s, bool *ended)
{
    for (;;) {
        skip_blanks(j);
        if (s->depth == 0) {
            *ended = true;
            return true;
        }
        struct json_token *t = &j->token[s->open[s->depth - 1]];
        if (peek(j) == ',') {
            j->at++;
            return true;
        }
        if (peek(j) != (t->type == JSON_ARRAY ? ']' : '}'))
            return fail(j, "a comma or an end was expected");
        t->to = ++j->at;
        t->next = j->tokens;
        s->depth--;
    }
}

/* Opens an array or object. *empty: it is closed at once. */
static bool
open_one(struct json_read *j, struct stack *s, bool *empty)
{
    bool array = peek(j) == '[';
    if (s->depth == JSON_DEPTH_MAX)
        return fail(j, "nested too deeply");
    if (push(j, array ? JSON_ARRAY : JSON_OBJECT) == NULL)
        return false;
    s->open[s->depth++] = j->tokens - 1;
    j->at++;
    skip_blanks(j);
    *empty = peek(j) == (array ? ']' : '}');
    return true;
}

/* The name in front of a value in an object. */
static bool
read_name(struct json_read *j, const struct stack *s)
{
    if (s->depth == 0)
        return true;
    j->token[s->open[s->depth - 1]].count++;
    if (j->token[s->open[s->depth - 1]].type == JSON_ARRAY)
        return true;
    if (peek(j) != '"')
        return fail(j, "a name in quotes was expected");
    if (!read_string(j))
        return false;
    skip_blanks(j);
    if (peek(j) != ':')
        return fail(j, "a colon was expected");
    j->at++;
    return true;
}

bool
json_read_line(struct json_read *j, const char *text, size_t n)
{
    struct stack s = { .depth = 0 };
    bool ended = false;
    j->text = text;
    j->n = n;
    j->at = j->tokens = 0;
    j->wrong = NULL;
    while (!ended) {
        bool opened = false, empty = false;
        skip_blanks(j);
        if (!read_name(j, &s))
            return false;
        skip_blanks(j);
        opened = peek(j) == '[' || peek(j) == '{';
        if (!(opened ? open_one(j, &s, &empty) : read_scalar(j)))
            return false;
        if ((!opened || empty) && !close_all(j, &s, &ended))
            return false;
    }
    return j->at == n || fail(j, "something stands behind the value");
}

void
json_read_free(struct json_read *j)
{
    free(j->token);
    *j = (struct json_read){ 0 };
}

/* ---- asking --------------------------------------------------------------------------------------------------------------- */

bool
json_is(const struct json_read *j, size_t token, const char *text)
{
    const struct json_token *t = &j->token[token];
    return t->type == JSON_STRING && t->to - t->from == strlen(text) && memcmp(j->text + t->from, text, t->to - t->from) == 0;
}

size_t
json_find(const struct json_read *j, size_t object, const char *name)
{
    const struct json_token *o = &j->token[object];
    if (o->type != JSON_OBJECT)
        return 0;
    for (size_t at = object + 1; at < o->next; at = j->token[at + 1].next)
        if (json_is(j, at, name))
            return at + 1;
    return 0;
}

static bool
number_text(const struct json_read *j, size_t token, char text[NUMBER_MAX])
{
    const struct json_token *t = &j->token[token];
    if (t->type != JSON_NUMBER || t->to - t->from >= NUMBER_MAX)
        return false;
    memcpy(text, j->text + t->from, t->to - t->from);
    text[t->to - t->from] = '\0';
    return true;
}

bool
json_int(const struct json_read *j, size_t token, int64_t *number)
{
    char text[NUMBER_MAX];
    return number_text(j, token, text) && decimal_read(text, strlen(text), number);
}

bool
json_double(const struct json_read *j, size_t token, double *number)
{
    char text[NUMBER_MAX], *end;
    if (!number_text(j, token, text))
        return false;
    *number = strtod(text, &end);
    return *end == '\0' && end > text;
}

/* ---- strings -------------------------------------------------------------------------------------------------------------- */

static unsigned
hex4(const char *s)
{
    char text[5];
    memcpy(text, s, 4);
    text[4] = '\0';
    return (unsigned)strtoul(text, NULL, 16);
}

static void
put_utf8(struct buf *to, uint32_t c)
{
    char out[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(first[n] | c);
    buf_append(to, out, n);
}

/* \uXXXX at s (behind the backslash), perhaps with the second half of a pair; returns how many bytes it takes, 0: half a pair. */
static size_t
put_escape_u(struct buf *to, const char *s, size_t left)
{
    uint32_t c = hex4(s + 1);
    if (c < 0xd800 || c > 0xdfff) {
        put_utf8(to, c);
        return 5;
    }
    if (c > 0xdbff || left < 11 || s[5] != '\\' || s[6] != 'u')
        return 0;
    uint32_t low = hex4(s + 7);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    put_utf8(to, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
    return 11;
}

static bool
decode_string(const char *s, size_t n, struct buf *to)
{
    static const char named[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    for (size_t i = 0; i < n;) {
        const char *slash = memchr(s + i, '\\', n - i);
        size_t plain = slash == NULL ? n - i : (size_t)(slash - (s + i));
        buf_append(to, s + i, plain);
        i += plain;
        if (i == n)
            break;
        i++;
        if (s[i] == 'u') {
            size_t took = put_escape_u(to, s + i, n - i);
            if (took == 0)
                return false;
            i += took;
        } else {
            for (const char *p = named; *p != '\0'; p += 2)
                if (*p == s[i])
                    buf_append(to, p + 1, 1);
            i++;
        }
    }
    return !buf_failed(to);
}

bool
json_bytes_reserve(const struct json_read *j, struct buf *room)
{
    return buf_reserve(room, j->n);
}

bool
json_base64(const struct json_read *j, size_t token, struct resp_arg *encoded)
{
    size_t text = json_find(j, token, "base64");
    if (text == 0 || j->token[token].count != 1 || j->token[text].type != JSON_STRING)
        return false;
    *encoded = (struct resp_arg){ .data = j->text + j->token[text].from, .len = j->token[text].to - j->token[text].from };
    return true;
}

bool
json_bytes(const struct json_read *j, size_t token, struct buf *room, struct resp_arg *bytes)
{
    const struct json_token *t = &j->token[token];
    struct resp_arg encoded;
    size_t mark = room->len;
    bool text = t->type == JSON_STRING;
    if (text && !t->escaped) {
        *bytes = (struct resp_arg){ .data = j->text + t->from, .len = t->to - t->from };
        return true;
    }
    if (!(text ? decode_string(j->text + t->from, t->to - t->from, room)
               : json_base64(j, token, &encoded) && base64_decode(encoded.data, encoded.len, room)))
        return false;
    *bytes = (struct resp_arg){ .data = room->data == NULL ? "" : room->data + mark, .len = room->len - mark };
    return true;
}
