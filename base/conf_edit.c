/* conf_edit.c - values replaced in place (see conf_edit.h).
 *
 * libconfig forgets comments, so the text itself is edited: a small scanner knows tokens, comments and brackets, enough to find
 * where a setting's value begins and ends, and nothing of what it means. redis.conf is edited by whole lines. The change is
 * built aside and takes the text's place when it is complete. Process: master. Fails: false, the text as it was.
 */
#include "base/conf_edit.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- libconfig's tokens -------------------------------------------------------------------------------------------------- */

struct scan {
    const char *at, *end;
};

/* Blanks and comments: # and // to the end of the line, and the others. */
static void
skip(struct scan *s)
{
    while (s->at < s->end) {
        size_t left = (size_t)(s->end - s->at);
        if (isspace((unsigned char)*s->at)) {
            s->at++;
        } else if (*s->at == '#' || (left > 1 && s->at[0] == '/' && s->at[1] == '/')) {
            const char *newline = memchr(s->at, '\n', left);
            s->at = newline ? newline + 1 : s->end;
        } else if (left > 1 && s->at[0] == '/' && s->at[1] == '*') {
            const char *close = memmem(s->at + 2, left - 2, "*/", 2);
            s->at = close ? close + 2 : s->end;
        } else {
            return;
        }
    }
}

static bool
skip_string(struct scan *s)
{
    for (s->at++; s->at < s->end && *s->at != '"'; s->at++)
        if (*s->at == '\\')
            s->at++;
    if (s->at >= s->end)
        return false;
    s->at++;
    return true;
}

static bool
is_word(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '*' || c == '+' || c == '.';
}

/* Over one token: a string, a word, or a single character. */
static bool
skip_token(struct scan *s)
{
    if (s->at >= s->end)
        return false;
    if (*s->at == '"')
        return skip_string(s);
    if (!is_word(*s->at)) {
        s->at++;
        return true;
    }
    while (s->at < s->end && is_word(*s->at))
        s->at++;
    return true;
}

/* Over a value, which may be in brackets; *last is behind its last character. */
static bool
skip_value(struct scan *s, const char **last)
{
    int depth = 0;
    bool more;
    do {
        skip(s);
        if (s->at < s->end && strchr("{[(", *s->at))
            depth++;
        if (s->at < s->end && strchr("}])", *s->at) && --depth < 0)
            return false;
        if (!skip_token(s))
            return false;
        *last = s->at;
        struct scan ahead = *s;
        skip(&ahead);
        /* strings that follow each other are one */
        more = depth > 0 || ((*last)[-1] == '"' && ahead.at < ahead.end && *ahead.at == '"');
    } while (more);
    return true;
}

/* The next setting: its name and where its value stands. False: the end, or something else. */
static bool
next_setting(struct scan *s, const char **name, size_t *len, const char **from, const char **to)
{
    skip(s);
    while (s->at < s->end && (*s->at == ';' || *s->at == ',')) {
        s->at++;
        skip(s);
    }
    if (s->at >= s->end || !(isalpha((unsigned char)*s->at) || *s->at == '*'))
        return false;
    *name = s->at;
    skip_token(s);
    *len = (size_t)(s->at - *name);
    skip(s);
    if (s->at >= s->end || (*s->at != '=' && *s->at != ':'))
        return false;
    s->at++;
    skip(s);
    *from = s->at;
    return skip_value(s, to);
}

/* Looks a setting up among those of a text or group. */
static bool
find(struct scan s, const char *wanted, const char **from, const char **to)
{
    const char *name;
    size_t len;
    while (next_setting(&s, &name, &len, from, to))
        if (strlen(wanted) == len && memcmp(name, wanted, len) == 0)
            return true;
    return false;
}

/* ---- changes ---------------------------------------------------------------------------------------------------------------- */

/* Bytes at .. at + n give way to `with`. */
static bool
splice(struct buf *text, size_t at, size_t n, const char *with, size_t len)
{
    struct buf new;
    buf_init(&new);
    buf_append(&new, buf_head(text), at);
    buf_append(&new, with, len);
    buf_append(&new, buf_head(text) + at + n, buf_pending(text) - at - n);
    if (buf_failed(&new)) {
        buf_destroy(&new);
        return false;
    }
    buf_destroy(text);
    *text = new;
    return true;
}

static bool
splice_printed(struct buf *text, size_t at, struct buf *with)
{
    bool ok = !buf_failed(with) && splice(text, at, 0, buf_head(with), buf_pending(with));
    buf_destroy(with);
    return ok;
}

bool
conf_edit_set(struct buf *text, const char *group, const char *name, const char *value)
{
    const char *begin = buf_head(text), *from, *to;
    struct scan all = {begin, begin + buf_pending(text)};
    struct buf added;
    buf_init(&added);
    if (!find(all, group, &from, &to)) {
        bool has_line = buf_pending(text) == 0 || all.end[-1] == '\n';
        buf_printf(&added, "%s\n%s: {\n    %s = %s;\n};\n", has_line ? "" : "\n", group, name, value);
        return splice_printed(text, buf_pending(text), &added);
    }
    if (*from != '{')
        return false;
    struct scan inner = {from + 1, to - 1};
    const char *close = to - 1;
    if (find(inner, name, &from, &to))
        return splice(text, (size_t)(from - begin), (size_t)(to - from), value, strlen(value));
    /* a setting may have been left without its ; before the closing brace */
    const char *line = close;
    while (line > inner.at && (line[-1] == ' ' || line[-1] == '\t'))
        line--;
    bool own_line = line > inner.at && line[-1] == '\n';
    buf_printf(&added, own_line ? "    %s = %s;\n" : "\n    %s = %s;\n", name, value);
    return splice_printed(text, (size_t)((own_line ? line : close) - begin), &added);
}

/* ---- redis.conf --------------------------------------------------------------------------------------------------------------- */

static bool
is_named(const char *line, const char *end, const char *name)
{
    while (line < end && isspace((unsigned char)*line))
        line++;
    size_t n = name ? strlen(name) : 0;
    return name && (size_t)(end - line) >= n && strncasecmp(line, name, n) == 0 && (line + n == end || isspace((unsigned char)line[n]));
}

bool
conf_edit_set_redis(struct buf *text, const char *name, const char *alias, const char *value)
{
    struct buf new;
    bool written = false;
    const char *at = buf_head(text), *end = at + buf_pending(text);
    buf_init(&new);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *next = newline ? newline + 1 : end;
        if (!is_named(at, next, name) && !is_named(at, next, alias))
            buf_append(&new, at, (size_t)(next - at));
        else if (!written)
            buf_printf(&new, "%s %s\n", name, value);
        written = written || is_named(at, next, name) || is_named(at, next, alias);
        at = next;
    }
    if (!written)
        buf_printf(&new, "%s%s %s\n", buf_pending(&new) && new.data[new.len - 1] != '\n' ? "\n" : "", name, value);
    if (buf_failed(&new)) {
        buf_destroy(&new);
        return false;
    }
    buf_destroy(text);
    *text = new;
    return true;
}

void
conf_edit_quote(struct buf *out, const char *text, bool redis)
{
    buf_append_str(out, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < ' ' || c == 127 || (redis && c > 127))
            buf_printf(out, "\\x%02x", c);
        else
            buf_append(out, text, 1);
    }
    buf_append_str(out, "\"");
}
