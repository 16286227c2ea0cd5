/* conf_redis.c - the syntax of redis.conf (see conf.h): a line is a name and its values; # begins a comment line; "..." knows
 * \n \r \t \b \a \xHH and \ before any other character, '...' knows \'. Source of the rules: the comments in redis.conf. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"

#define NAME_MAX_BYTES 128

/* The rest of a line, and the words taken from it. */
struct line {
    const char *at, *end;
    char text[CONF_TEXT_MAX]; /* values, with blanks between them */
    size_t len;
    unsigned count;
};

static bool
put(struct line *l, char c)
{
    if (l->len + 1 >= sizeof l->text || c == '\0')
        return false;
    l->text[l->len++] = c;
    return true;
}

static int
hex(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1;
}

/* The character behind a backslash in "...". */
static char
unescape(struct line *l)
{
    static const char names[] = "nrtba", values[] = "\n\r\t\b\a";
    if (*l->at == 'x' && l->end - l->at > 2 && hex(l->at[1]) >= 0 && hex(l->at[2]) >= 0) {
        l->at += 3;
        return (char)(hex(l->at[-2]) * 16 + hex(l->at[-1]));
    }
    const char *name = strchr(names, *l->at);
    char c = name && *name ? values[name - names] : *l->at;
    l->at++;
    return c;
}

/* False: no closing quote, or something stands right behind it, or the value is too long. */
static bool
take_quoted(struct line *l)
{
    char quote = *l->at++;
    while (l->at < l->end && *l->at != quote) {
        char c = *l->at++;
        if (c == '\\' && l->at < l->end && (quote == '"' || *l->at == '\''))
            c = quote == '"' ? unescape(l) : *l->at++;
        if (!put(l, c))
            return false;
    }
    if (l->at == l->end)
        return false;
    l->at++;
    return l->at == l->end || isspace((unsigned char)*l->at);
}

static bool
take_word(struct line *l)
{
    if (l->count++ > 0 && !put(l, ' '))
        return false;
    if (*l->at == '"' || *l->at == '\'')
        return take_quoted(l);
    while (l->at < l->end && !isspace((unsigned char)*l->at))
        if (!put(l, *l->at++))
            return false;
    return true;
}

static void
skip_blanks(struct line *l)
{
    while (l->at < l->end && isspace((unsigned char)*l->at))
        l->at++;
}

/* One line. error stays empty where fn has said what is wrong. */
static bool
read_line(struct line *l, struct conf_entry *e, conf_entry_fn *fn, void *arg, char *error)
{
    char name[NAME_MAX_BYTES];
    skip_blanks(l);
    if (l->at == l->end || *l->at == '#')
        return true;
    const char *from = l->at;
    while (l->at < l->end && !isspace((unsigned char)*l->at))
        l->at++;
    snprintf(name, sizeof name, "%.*s", (int)(l->at - from), from);
    skip_blanks(l);
    while (l->at < l->end) {
        if (!take_word(l)) {
            snprintf(error, CONF_ERROR_MAX, "%s:%u: the value of '%s' has unbalanced quotes, a zero byte, or is too long", e->file, e->line, name);
            return false;
        }
        skip_blanks(l);
    }
    l->text[l->len] = '\0';
    e->name = name;
    e->text = l->text;
    e->count = l->count;
    return fn(arg, e);
}

bool
conf_redis_read_text(const char *text, size_t n, const char *file, conf_entry_fn *fn, void *arg, char error[CONF_ERROR_MAX])
{
    struct conf_entry e = {.file = file};
    const char *end = text + n;
    error[0] = '\0';
    while (text < end) {
        struct line l = {.at = text};
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        l.end = newline ? newline : end;
        e.line++;
        if (!read_line(&l, &e, fn, arg, error))
            return false;
        text = newline ? newline + 1 : end;
    }
    return true;
}
