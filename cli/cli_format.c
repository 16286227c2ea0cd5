/* cli_format.c - replies as text (see cli_format.h).
 *
 * Recursion is bounded by the depth that the reply reader allows.
 */
#include "cli/cli_format.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/xassert.h"
#include "cli/json.h"

/* How collections look in the typed format. */
static const struct collection {
    enum resp_type type;
    char mark; /* behind the number of an element */
    const char *empty;
} collections[] = {
    { RESP_ARRAY, ')', "(empty array)\n" },
    { RESP_MAP, '#', "(empty hash)\n" },
    { RESP_SET, '~', "(empty set)\n" },
    { RESP_PUSH, ')', "(empty push)\n" },
};

static const struct collection *
collection_of(enum resp_type type)
{
    for (size_t i = 0; i < sizeof collections / sizeof collections[0]; i++)
        if (collections[i].type == type)
            return &collections[i];
    return NULL;
}

/* ---- typed -------------------------------------------------------------------------------------- */

static void
append_quoted(struct buf *to, const char *text, size_t len)
{
    static const char named[] = "\\\\\"\"\nn\rr\tt\aa\bb"; /* pairs: the character, its letter */
    buf_append(to, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *p = named;
        while (*p != '\0' && (unsigned char)*p != c)
            p += 2;
        if (*p != '\0')
            buf_printf(to, "\\%c", p[1]);
        else if (c >= 0x20 && c < 0x7f)
            buf_append(to, &text[i], 1);
        else
            buf_printf(to, "\\x%02x", c);
    }
    buf_append(to, "\"", 1);
}

static void
append_line(struct buf *to, const char *before, const struct resp_value *v)
{
    buf_append_str(to, before);
    buf_append(to, v->text, v->len);
    buf_append(to, "\n", 1);
}

static void
append_scalar(struct buf *to, const struct resp_value *v)
{
    switch (v->type) {
    case RESP_SIMPLE:
    case RESP_VERBATIM:
    case RESP_BIGNUM:
        append_line(to, "", v);
        break;
    case RESP_ERROR:
        append_line(to, "(error) ", v);
        break;
    case RESP_DOUBLE:
        append_line(to, "(double) ", v);
        break;
    case RESP_INT:
        buf_printf(to, "(integer) %lld\n", (long long)v->integer);
        break;
    case RESP_NULL:
        buf_append_str(to, "(nil)\n");
        break;
    case RESP_BOOL:
        buf_append_str(to, v->boolean ? "(true)\n" : "(false)\n");
        break;
    case RESP_BULK:
        append_quoted(to, v->text, v->len);
        buf_append(to, "\n", 1);
        break;
    default:
        never_reached("collections are told apart by the caller");
    }
}

static int
digits_of(size_t n)
{
    int digits = 1;
    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

/* True if a value's elements take more than one line: there are several, or the only one's do. */
static bool
is_tall(const struct resp_value *v)
{
    while (v->count == (v->type == RESP_MAP ? 2u : 1u))
        v = &v->child[v->count - 1];
    return v->count > 1;
}

/* Elements stand below each other, `indent` columns in; the first one's place is already made. */
static void
append_typed(struct buf *to, const struct resp_value *v, int indent)
{
    const struct collection *c = collection_of(v->type);
    size_t step = v->type == RESP_MAP ? 2 : 1;
    if (c == NULL || v->count == 0) {
        c == NULL ? append_scalar(to, v) : buf_append_str(to, c->empty);
        return;
    }
    int digits = digits_of(v->count / step);
    int inner = indent + digits + 2;
    for (size_t i = 0; i < v->count; i += step) {
        buf_printf(to, "%*s%*zu%c ", i > 0 ? indent : 0, "", digits, i / step + 1, c->mark);
        append_typed(to, &v->child[i], inner);
        if (step == 1)
            continue;
        if (!buf_failed(to))
            buf_truncate(to, to->len - 1); /* the key's end of line */
        buf_append_str(to, " => ");
        if (is_tall(&v->child[i + 1]))
            buf_printf(to, "\n%*s", inner, "");
        append_typed(to, &v->child[i + 1], inner);
    }
}

void
cli_format_typed(struct buf *to, const struct resp_value *reply)
{
    append_typed(to, reply, 0);
}

/* ---- raw ---------------------------------------------------------------------------------------- */

static void
append_raw(struct buf *to, const struct resp_value *v)
{
    switch (v->type) {
    case RESP_NULL:
        break;
    case RESP_INT:
        buf_printf(to, "%lld", (long long)v->integer);
        break;
    case RESP_BOOL:
        buf_append_str(to, v->boolean ? "(true)" : "(false)");
        break;
    case RESP_ERROR:
        append_line(to, "", v);
        break;
    default:
        if (v->text != NULL)
            buf_append(to, v->text, v->len);
        for (size_t i = 0; i < v->count; i++) {
            if (i > 0)
                buf_append_str(to, v->type == RESP_MAP && i % 2 == 1 ? " " : "\n");
            append_raw(to, &v->child[i]);
        }
    }
}

void
cli_format_text(struct buf *to, const struct resp_value *reply)
{
    append_raw(to, reply);
}

void
cli_format_raw(struct buf *to, const struct resp_value *reply)
{
    append_raw(to, reply);
    buf_append(to, "\n", 1);
}

/* ---- JSON --------------------------------------------------------------------------------------- */

static void append_json(struct buf *to, const struct resp_value *v);

/* A map's key: JSON knows only strings, so other things stand as the text of their JSON. */
static void
append_json_key(struct buf *to, const struct resp_value *v)
{
    if (v->type == RESP_BULK || v->type == RESP_SIMPLE || v->type == RESP_VERBATIM) {
        json_string(to, v->text, v->len);
        return;
    }
    struct buf key;
    buf_init(&key);
    append_json(&key, v);
    if (buf_failed(&key))
        to->failed = true;
    else
        json_string(to, buf_head(&key), buf_pending(&key));
    buf_destroy(&key);
}

static void
append_json_map(struct buf *to, const struct resp_value *v)
{
    buf_append_str(to, "{");
    for (size_t i = 0; i + 1 < v->count; i += 2) {
        buf_append_str(to, i > 0 ? "," : "");
        append_json_key(to, &v->child[i]);
        buf_append_str(to, ":");
        append_json(to, &v->child[i + 1]);
    }
    buf_append_str(to, "}");
}

static void
append_json_list(struct buf *to, const struct resp_value *v)
{
    buf_append_str(to, "[");
    for (size_t i = 0; i < v->count; i++) {
        buf_append_str(to, i > 0 ? "," : "");
        append_json(to, &v->child[i]);
    }
    buf_append_str(to, "]");
}

/* Digits are a JSON number of any length; what a server sends instead of digits is a string. */
static void
append_json_bignum(struct buf *to, const struct resp_value *v)
{
    size_t sign = v->len > 0 && v->text[0] == '-';
    bool plain = v->len > sign && strspn(v->text + sign, "0123456789") == v->len - sign && v->text[sign] != '0';
    if (plain)
        buf_append(to, v->text, v->len);
    else
        json_string(to, v->text, v->len);
}

static void
append_json(struct buf *to, const struct resp_value *v)
{
    switch (v->type) {
    case RESP_SIMPLE:
    case RESP_BULK:
    case RESP_VERBATIM:
        json_string(to, v->text, v->len);
        break;
    case RESP_ERROR:
        buf_append_str(to, "{\"error\":");
        json_string(to, v->text, v->len);
        buf_append_str(to, "}");
        break;
    case RESP_INT:
        buf_printf(to, "%lld", (long long)v->integer);
        break;
    case RESP_DOUBLE:
        json_number(to, v->number);
        break;
    case RESP_BIGNUM:
        append_json_bignum(to, v);
        break;
    case RESP_NULL:
        buf_append_str(to, "null");
        break;
    case RESP_BOOL:
        buf_append_str(to, v->boolean ? "true" : "false");
        break;
    case RESP_MAP:
        append_json_map(to, v);
        break;
    case RESP_ARRAY:
    case RESP_SET:
    case RESP_PUSH:
        append_json_list(to, v);
        break;
    }
}

void
cli_format_json(struct buf *to, const struct resp_value *reply)
{
    append_json(to, reply);
    buf_append(to, "\n", 1);
}
