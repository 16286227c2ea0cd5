/* conf.c - libconfig's syntax (see conf.h).
 *
 * libconfig makes a tree of the text, which is walked once: each setting becomes one entry whose value is words in a line,
 * as the command line would give it. So a list, a number and a string reach the parameter's own parser the same way.
 */
#include "base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 4 /* of a value */

struct reading {
    const char *file;
    conf_entry_fn *fn;
    void *arg;
    char *error;
};

/* ---- values ------------------------------------------------------------------------------------------------------------ */

struct words {
    char text[CONF_TEXT_MAX];
    size_t len;
    unsigned count;
};

static bool
add(struct words *w, const char *word)
{
    size_t n = strlen(word);
    if (w->len + n + 2 > sizeof w->text)
        return false;
    if (w->count++ > 0)
        w->text[w->len++] = ' ';
    memcpy(w->text + w->len, word, n + 1);
    w->len += n;
    return true;
}

static bool
add_scalar(struct words *w, const config_setting_t *s)
{
    char number[40];
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_INT:
        snprintf(number, sizeof number, "%d", config_setting_get_int(s));
        return add(w, number);
    case CONFIG_TYPE_INT64:
        snprintf(number, sizeof number, "%lld", config_setting_get_int64(s));
        return add(w, number);
    case CONFIG_TYPE_FLOAT:
        snprintf(number, sizeof number, "%.10g", config_setting_get_float(s));
        return add(w, number);
    case CONFIG_TYPE_BOOL:
        return add(w, config_setting_get_bool(s) ? "yes" : "no");
    case CONFIG_TYPE_STRING:
        return add(w, config_setting_get_string(s));
    default:
        return false;
    }
}

/* False: too long or too deep. The depth is bounded, so the recursion is. */
static bool
add_value(struct words *w, const config_setting_t *s, int depth)
{
    if (!config_setting_is_aggregate(s))
        return add_scalar(w, s);
    if (depth == DEPTH_MAX)
        return false;
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *inner = config_setting_get_elem(s, (unsigned)i);
        if (config_setting_is_group(s) && !add(w, config_setting_name(inner)))
            return false;
        if (!add_value(w, inner, depth + 1))
            return false;
    }
    return true;
}

/* ---- the file ----------------------------------------------------------------------------------------------------------- */

static bool
read_setting(struct reading *r, const char *group, const config_setting_t *s)
{
    struct words w = {.len = 0};
    const char *file = config_setting_source_file(s);
    struct conf_entry e = {.group = group, .name = config_setting_name(s), .text = w.text, .file = file ? file : r->file,
        .line = config_setting_source_line(s)};
    if (!add_value(&w, s, 0)) {
        snprintf(r->error, CONF_ERROR_MAX, "%s:%u: the value of '%s' is too long or too deep", e.file, e.line, e.name);
        return false;
    }
    e.count = w.count;
    return r->fn(r->arg, &e);
}

static bool
read_all(struct reading *r, const config_t *c)
{
    const config_setting_t *root = config_root_setting(c);
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *s = config_setting_get_elem(root, (unsigned)i);
        if (!config_setting_is_group(s)) {
            if (!read_setting(r, NULL, s))
                return false;
            continue;
        }
        for (int k = 0; k < config_setting_length(s); k++)
            if (!read_setting(r, config_setting_name(s), config_setting_get_elem(s, (unsigned)k)))
                return false;
    }
    return true;
}

bool
conf_read_text(const char *text, size_t n, const char *file, conf_entry_fn *fn, void *arg, char error[CONF_ERROR_MAX])
{
    struct reading r = {.file = file, .fn = fn, .arg = arg, .error = error};
    config_t c;
    error[0] = '\0';
    char *copy = memchr(text, '\0', n) ? NULL : strndup(text, n);
    if (!copy) {
        snprintf(error, CONF_ERROR_MAX, "%s: is no text, or there is no memory for it", file);
        return false;
    }
    config_init(&c);
    bool ok = config_read_string(&c, copy) == CONFIG_TRUE;
    if (ok)
        ok = read_all(&r, &c);
    else
        snprintf(error, CONF_ERROR_MAX, "%s:%d: %s", config_error_file(&c) ? config_error_file(&c) : file, config_error_line(&c),
            config_error_text(&c));
    config_destroy(&c);
    free(copy);
    return ok;
}

char *
conf_load(const char *path, size_t *n, char error[CONF_ERROR_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? malloc(CONF_FILE_MAX + 1) : NULL;
    ssize_t got = 0;
    *n = 0;
    while (text && *n < CONF_FILE_MAX && (got = read(fd, text + *n, CONF_FILE_MAX - *n)) > 0)
        *n += (size_t)got;
    if (!text || got < 0 || *n == CONF_FILE_MAX) {
        snprintf(error, CONF_ERROR_MAX, "cannot read %s: %s", path, text && got >= 0 ? "it is larger than 1 MB" : strerror(errno));
        free(text);
        text = NULL;
    }
    if (fd >= 0)
        close(fd);
    if (text)
        text[*n] = '\0';
    return text;
}
