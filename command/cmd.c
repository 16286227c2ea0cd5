/* cmd.c - helpers of command functions (contract in cmd.h).
 *
 * Process: workers. Locks: cmd_enter_all and cmd_enter_all_read take all shards; the rest none. Fails: error replies.
 */
#include "command/cmd.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "shm/shm_epoch.h"

#include "command/control.h"

#define EFFECT_ARGS_MAX 16
#define SUBCOMMAND_SHOWN_MAX 128
#define FLOAT_TEXT_MAX 5120 /* longer texts are no numbers to Redis */
#define CURSOR_TEXT_MAX 1024 /* leading zeros included */

int64_t
cmd_now(struct cmd *c)
{
    if (c->time_ms == 0)
        c->time_ms = clock_wall_ms();
    return c->time_ms;
}

/* ---- arguments ------------------------------------------------------------------------------------------ */

static char
lower(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char)(ch | 0x20) : ch;
}

bool
cmd_arg_is(const struct cmd *c, int i, const char *word)
{
    const struct resp_arg *a = &c->argv[i];
    for (size_t k = 0; k < a->len && a->data[k] != '\0'; k++, word++) /* Redis compares C strings */
        if (lower(a->data[k]) != *word)
            return false;
    return *word == '\0';
}

bool
cmd_arg_int(struct cmd *c, int i, int64_t *v)
{
    if (decimal_read(c->argv[i].data, c->argv[i].len, v))
        return true;
    cmd_error(c, "ERR value is not an integer or out of range");
    return false;
}

bool
cmd_arg_int_range(struct cmd *c, int i, int64_t min, int64_t max, int64_t *v, const char *error)
{
    bool is_int = decimal_read(c->argv[i].data, c->argv[i].len, v);
    if (is_int && *v >= min && *v <= max)
        return true;
    if (error)
        cmd_error(c, "%s", error);
    else if (!is_int)
        cmd_error(c, "ERR value is not an integer or out of range");
    else
        cmd_error(c, "ERR value is out of range, value must between %ld and %ld", (long)min, (long)max);
    return false;
}

bool
cmd_parse_long_double(const char *bytes, size_t n, long double *v)
{
    char text[FLOAT_TEXT_MAX], *end;
    if (n == 0 || n >= sizeof text || strchr(" \t\n\v\f\r", bytes[0]) != NULL)
        return false;
    memcpy(text, bytes, n);
    text[n] = '\0';
    errno = 0;
    *v = strtold(text, &end);
    if ((size_t)(end - text) != n || isnan(*v))
        return false;
    return !(errno == ERANGE && (isinf(*v) || *v == 0));
}

bool
cmd_view_long_double(const struct string_view *view, long double *v)
{
    char text[FLOAT_TEXT_MAX];
    if (view->len >= sizeof text)
        return false;
    type_string_copy(view, 0, text, view->len);
    return cmd_parse_long_double(text, view->len, v);
}

bool
cmd_arg_long_double(struct cmd *c, int i, long double *v)
{
    if (cmd_parse_long_double(c->argv[i].data, c->argv[i].len, v))
        return true;
    cmd_error(c, "ERR value is not a valid float");
    return false;
}

bool
cmd_arg_cursor(struct cmd *c, int i, uint64_t *cursor)
{
    char text[CURSOR_TEXT_MAX], *end = text;
    size_t n = strnlen(c->argv[i].data, c->argv[i].len); /* Redis compares C strings */
    if (n < sizeof text && (n == 0 || !isspace((unsigned char)c->argv[i].data[0]))) {
        memcpy(text, c->argv[i].data, n);
        text[n] = '\0';
        errno = 0;
        *cursor = strtoul(text, &end, 10);
        if (*end == '\0' && errno != ERANGE)
            return true;
    }
    cmd_error(c, "ERR invalid cursor");
    return false;
}

size_t
cmd_render_long_double(long double v, char text[CMD_LONG_DOUBLE_MAX])
{
    if (isinf(v))
        return (size_t)snprintf(text, CMD_LONG_DOUBLE_MAX, v > 0 ? "inf" : "-inf");
    size_t n = (size_t)snprintf(text, CMD_LONG_DOUBLE_MAX, "%.17Lf", v);
    xassert(n < CMD_LONG_DOUBLE_MAX);
    if (memchr(text, '.', n) != NULL) {
        while (text[n - 1] == '0')
            n--;
        if (text[n - 1] == '.')
            n--;
    }
    if (n == 2 && text[0] == '-' && text[1] == '0') {
        text[0] = '0';
        n = 1;
    }
    return n;
}

size_t
cmd_bulk_max(const struct cmd *c)
{
    int64_t max = config_number(c->engine, PARAM_PROTO_MAX_BULK_LEN);
    return max < (int64_t)SHM_BLOB_MAX ? (size_t)max : (size_t)SHM_BLOB_MAX;
}

/* ---- values as replies ------------------------------------------------------------------------------------ */

void
cmd_out_view_range(struct cmd *c, const struct string_view *v, size_t at, size_t n)
{
    size_t run;
    const char *bytes = n > 0 ? type_string_piece(v, at, &run) : "";
    if (n == 0 || run >= n) {
        resp_out_bulk(c->out, bytes, n);
        return;
    }
    char *to = resp_out_bulk_begin(c->out, n);
    if (to)
        type_string_copy(v, at, to, n);
}

void
cmd_out_view(struct cmd *c, const struct string_view *v)
{
    if (v->bytes)
        resp_out_bulk(c->out, v->bytes, v->len);
    else
        cmd_out_view_range(c, v, 0, v->len);
}

/* ---- error replies ---------------------------------------------------------------------------------------- */

void
cmd_error(struct cmd *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    resp_out_verrorf(c->out, format, ap);
    va_end(ap);
    c->failed = true;
}

void
cmd_error_syntax(struct cmd *c)
{
    cmd_error(c, "ERR syntax error");
}

void
cmd_error_wrongtype(struct cmd *c)
{
    cmd_error(c, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void
cmd_error_no_such_key(struct cmd *c)
{
    cmd_error(c, "ERR no such key");
}

void
cmd_error_subcommand(struct cmd *c)
{
    char container[32];
    size_t n = cmd_arg_len(c, 0) < sizeof container ? cmd_arg_len(c, 0) : sizeof container;
    for (size_t i = 0; i < n; i++)
        container[i] = (char)toupper((unsigned char)cmd_arg(c, 0)[i]);
    size_t shown = strnlen(cmd_arg(c, 1), cmd_arg_len(c, 1) < SUBCOMMAND_SHOWN_MAX ? cmd_arg_len(c, 1) : SUBCOMMAND_SHOWN_MAX);
    cmd_error(c, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %.*s HELP.", (int)shown, cmd_arg(c, 1), (int)n,
        container);
}

/* ---- transactions and effects ------------------------------------------------------------------------------ */

bool
cmd_await_others(struct cmd *c)
{
    struct shm_region *r = c->engine->region;
    if (!c->session->awaits)
        c->session->awaits = shm_epoch_raise(r);
    c->again = !shm_epoch_passed(r, c->session->awaits, c->engine->slot);
    if (!c->again)
        c->session->awaits = 0;
    return !c->again;
}

void
cmd_enter_all_read(struct cmd *c)
{
    uint16_t ids[SHM_SHARDS_MAX];
    unsigned n = c->engine->region->nshards;
    xassert(n > 0 && n <= SHM_SHARDS_MAX);
    for (unsigned i = 0; i < n; i++)
        ids[i] = (uint16_t)i;
    shm_tx_enter_read(c->tx, ids, n);
}

bool
cmd_enter_all(struct cmd *c)
{
    if (!c->tx->active && !shm_tx_begin(c->tx))
        return false;
    xassert(c->tx->nlocked == 0);
    shm_tx_enter_all(c->tx);
    return c->tx->want == SHM_WANT_NOTHING;
}

void
cmd_leave_read(struct cmd *c)
{
    if (c->tx->reading)
        shm_tx_leave_read(c->tx);
}

void
cmd_effect(struct cmd *c, int argc, const struct shm_effect_arg *argv)
{
    c->effect_given = true;
    shm_tx_effect(c->tx, c->db, argc, argv);
}

void
cmd_effect_none(struct cmd *c)
{
    c->effect_given = true;
}

/* Reads the next argument of a format at *f into a; digits has room for a number. */
static void
effect_arg(const char **f, va_list *ap, struct shm_effect_arg *a, char digits[TYPE_STRING_DIGITS])
{
    const char *p = *f;
    if (p[0] != '%') {
        *f = p + strcspn(p, " ");
        *a = (struct shm_effect_arg){p, (size_t)(*f - p)};
        return;
    }
    *f = p + 2;
    switch (p[1]) {
    case 's':
        a->data = va_arg(*ap, const char *);
        a->len = strlen(a->data);
        return;
    case 'b':
        a->data = va_arg(*ap, const char *);
        a->len = va_arg(*ap, size_t);
        return;
    case 'l':
        a->data = digits;
        a->len = type_string_render_int(va_arg(*ap, int64_t), digits);
        return;
    default:
        never_reached("the formats of cmd_effectf are written in this program");
    }
}

void
cmd_effectf(struct cmd *c, const char *format, ...)
{
    struct shm_effect_arg args[EFFECT_ARGS_MAX];
    char digits[EFFECT_ARGS_MAX][TYPE_STRING_DIGITS];
    int n = 0;
    c->effect_given = true;
    if (!shm_tx_logging(c->tx))
        return;
    va_list ap;
    va_start(ap, format);
    for (const char *f = format; *f != '\0';) {
        if (*f == ' ') {
            f++;
            continue;
        }
        xassert(n < EFFECT_ARGS_MAX);
        effect_arg(&f, &ap, &args[n], digits[n]);
        n++;
    }
    va_end(ap);
    shm_tx_effect(c->tx, c->db, n, args);
}
