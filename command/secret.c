/* secret.c - secrets among arguments (see secret.h).
 *
 * Three commands carry secrets: AUTH in every argument, HELLO behind its word AUTH, CONFIG SET in the values of parameters whose
 * row says so. Row and words are looked at one by one, so the request may be malformed.
 */
#include "command/secret.h"

#include <string.h>
#include <strings.h>

#include "command/param.h"

static bool
is_word(const struct resp_arg *a, const char *word)
{
    return a->len == strlen(word) && strncasecmp(a->data, word, a->len) == 0;
}

/* HELLO version [AUTH name password] [SETNAME name] */
static bool
is_hello_secret(const struct resp_arg *argv, int i)
{
    return (i >= 3 && is_word(&argv[i - 1], "auth")) || (i >= 4 && is_word(&argv[i - 2], "auth"));
}

/* CONFIG SET name value [name value ...] */
static bool
is_config_secret(const struct resp_arg *argv, int i)
{
    int id = i >= 3 && i % 2 == 1 ? param_find(argv[i - 1].data, argv[i - 1].len) : -1;
    return id >= 0 && (params[id].flags & PARAM_SECRET);
}

bool
secret_is(const struct command_row *row, int argc, const struct resp_arg *argv, int i)
{
    (void)argc;
    if (i == 0)
        return false;
    if (strcmp(row->name, "auth") == 0)
        return true;
    if (strcmp(row->name, "hello") == 0)
        return is_hello_secret(argv, i);
    return strcmp(row->name, "config|set") == 0 && is_config_secret(argv, i);
}
