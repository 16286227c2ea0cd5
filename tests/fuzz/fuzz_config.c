/* fuzz_config.c - libFuzzer target of the configuration: parameters, command line, both kinds of file.
 *
 * Byte 0 chooses:
 *     0  "name value": one parameter, as CONFIG SET has it. What is taken is shown in a form that is taken again and shown
 *        the same
 *     1  words with NUL between them: a command line, then the settings that it makes
 *     2  a configuration file in libconfig's form, 3  a redis.conf: the settings that they make
 * Properties beside: a refusal has a message; texts keep to their length; what was set is within its row's range.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/xassert.h"
#include "master/settings.h"

#define WORDS_MAX 64

static void
check_parameter(const uint8_t *bytes, size_t len)
{
    const char *text = (const char *)bytes, *blank = memchr(text, ' ', len);
    size_t name_len = blank != NULL ? (size_t)(blank - text) : len;
    int id = param_find(text, name_len);
    if (id < 0 || blank == NULL)
        return;
    struct param_value first = { 0 }, second = { 0 };
    char error[PARAM_ERROR_MAX] = "", shown[PARAM_TEXT_MAX], again[PARAM_TEXT_MAX];
    if (!param_parse_text(&params[id], blank + 1, len - name_len - 1, &first, error)) {
        xassert(error[0] != '\0' && strnlen(error, sizeof(error)) < sizeof(error));
        return;
    }
    param_format(&params[id], &first, shown);
    xassert(strnlen(shown, sizeof(shown)) < sizeof(shown));
    xassert(param_parse_text(&params[id], shown, strlen(shown), &second, error));
    param_format(&params[id], &second, again);
    xassert(strcmp(shown, again) == 0);
}

static void
check_settings(const struct settings *s)
{
    struct param_value v;
    char shown[PARAM_TEXT_MAX];
    for (int id = 0; id < PARAM_COUNT; id++) {
        memset(&v, 0, sizeof(v));
        config_get(&s->values, id, &v);
        param_format(&params[id], &v, shown);
        xassert(strnlen(shown, sizeof(shown)) < sizeof(shown));
        xassert(params[id].kind != PARAM_INT || params[id].flags & PARAM_UNSIGNED ||
                (v.number >= params[id].min && v.number <= params[id].max));
    }
}

static void
check_load(const struct options *o)
{
    static struct settings s;
    char error[SETTINGS_ERROR_MAX] = "";
    if (settings_load(&s, o, error) && settings_check(&s, error))
        check_settings(&s);
    else
        xassert(error[0] != '\0' && strnlen(error, sizeof(error)) < sizeof(error));
}

static void
check_command_line(const uint8_t *bytes, size_t len)
{
    char *words[WORDS_MAX + 1] = { "kvstash" }, error[OPTIONS_ERROR_MAX] = "";
    char *line = malloc(len + 1);
    int n = 1;
    xassert(line != NULL);
    memcpy(line, bytes, len);
    line[len] = '\0';
    for (size_t at = 0; at < len && n < WORDS_MAX; at += strlen(line + at) + 1)
        words[n++] = line + at;
    struct options o;
    if (!options_parse(&o, n, words, error)) {
        xassert(error[0] != '\0');
    } else {
        o.file = o.redis_conf = NULL; /* no file but those made here is read */
        check_load(&o);
    }
    free(o.settings);
    free(line);
}

static void
check_file(const uint8_t *bytes, size_t len, bool redis_conf)
{
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    xassert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct options o = { .file = redis_conf ? NULL : path, .redis_conf = redis_conf ? path : NULL };
    check_load(&o);
    close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    if ((bytes[0] & 3) == 0)
        check_parameter(bytes + 1, len - 1);
    else if ((bytes[0] & 3) == 1)
        check_command_line(bytes + 1, len - 1);
    else
        check_file(bytes + 1, len - 1, bytes[0] & 1);
    return 0;
}
