/* cmd_lcs.c - LCS: the longest common subsequence of two strings.
 *
 * Both strings are copied and the locks dropped; the rest is quadratic, in a table of private memory that may not be
 * larger than proto-max-bulk-len.
 *
 * Process: workers. Locks: exec.c took those of both keys; dropped early.
 */
#include <stdlib.h>

#include "command/cmd_rows.h"
#include "command/cmd_string.h"
#include "command/keyspace.h"

struct lcs_options {
    bool idx, len, withmatchlen;
    int64_t min;
};

static bool
parse_lcs(struct cmd *c, struct lcs_options *o)
{
    for (int i = 3; i < c->argc; i++) {
        if (cmd_arg_is(c, i, "idx")) {
            o->idx = true;
        } else if (cmd_arg_is(c, i, "len")) {
            o->len = true;
        } else if (cmd_arg_is(c, i, "withmatchlen")) {
            o->withmatchlen = true;
        } else if (cmd_arg_is(c, i, "minmatchlen") && i + 1 < c->argc) {
            if (!cmd_arg_int(c, ++i, &o->min))
                return false;
            if (o->min < 0)
                o->min = 0;
        } else {
            cmd_error_syntax(c);
            return false;
        }
    }
    if (o->idx && o->len)
        cmd_error(c, "ERR If you want both the length and indexes, please just use IDX.");
    return !(o->idx && o->len);
}

/* Both strings, copied so that the locks can be dropped, and the table of lengths of common prefixes' subsequences. */
struct lcs {
    char *text;       /* owned: a, then b */
    const char *a, *b;
    uint32_t alen, blen;
    uint32_t *table;  /* owned: (alen + 1) rows of blen + 1 */
};

static uint32_t *
lcs_at(const struct lcs *l, uint32_t i, uint32_t j)
{
    return &l->table[(size_t)i * (l->blen + 1) + j];
}

static void
lcs_fill(const struct lcs *l)
{
    for (uint32_t j = 0; j <= l->blen; j++)
        *lcs_at(l, 0, j) = 0;
    for (uint32_t i = 1; i <= l->alen; i++) {
        *lcs_at(l, i, 0) = 0;
        for (uint32_t j = 1; j <= l->blen; j++) {
            uint32_t up = *lcs_at(l, i - 1, j), left = *lcs_at(l, i, j - 1);
            if (l->a[i - 1] == l->b[j - 1])
                *lcs_at(l, i, j) = *lcs_at(l, i - 1, j - 1) + 1;
            else
                *lcs_at(l, i, j) = up > left ? up : left;
        }
    }
}

/* A run of matching bytes, found from the end: first and last index in both strings; a_first == alen: none open. */
struct lcs_run {
    uint32_t a_first, a_last, b_first, b_last;
};

static void
lcs_emit(struct cmd *c, const struct lcs_options *o, const struct lcs_run *run, size_t *matches)
{
    uint32_t len = run->a_last - run->a_first + 1;
    if (!o->idx || (o->min != 0 && len < o->min))
        return;
    resp_out_array(c->out, o->withmatchlen ? 3 : 2);
    resp_out_array(c->out, 2);
    resp_out_int(c->out, run->a_first);
    resp_out_int(c->out, run->a_last);
    resp_out_array(c->out, 2);
    resp_out_int(c->out, run->b_first);
    resp_out_int(c->out, run->b_last);
    if (o->withmatchlen)
        resp_out_int(c->out, len);
    ++*matches;
}

/* Walks back through the table: writes the subsequence to `result` (if not NULL), emits runs of matches. */
static void
lcs_walk(struct cmd *c, const struct lcs *l, const struct lcs_options *o, char *result, size_t *matches)
{
    uint32_t i = l->alen, j = l->blen, left = *lcs_at(l, i, j);
    struct lcs_run run = {.a_first = l->alen};
    while (i > 0 && j > 0) {
        bool emit = false;
        if (l->a[i - 1] == l->b[j - 1]) {
            if (result)
                result[left - 1] = l->a[i - 1];
            if (run.a_first == l->alen) {
                run = (struct lcs_run){i - 1, i - 1, j - 1, j - 1};
            } else if (run.a_first == i && run.b_first == j) {
                run.a_first--;
                run.b_first--;
            } else {
                emit = true;
            }
            /* a run that reaches the beginning of a string is the last one */
            if (run.a_first == 0 || run.b_first == 0)
                emit = true;
            left--;
            i--;
            j--;
        } else {
            if (*lcs_at(l, i - 1, j) > *lcs_at(l, i, j - 1))
                i--;
            else
                j--;
            emit = run.a_first != l->alen;
        }
        if (emit) {
            lcs_emit(c, o, &run, matches);
            run.a_first = l->alen;
        }
    }
}

static void
lcs_reply(struct cmd *c, const struct lcs *l, const struct lcs_options *o)
{
    uint32_t length = *lcs_at(l, l->alen, l->blen);
    size_t matches = 0;
    if (o->len) {
        resp_out_int(c->out, length);
    } else if (o->idx) {
        resp_out_map(c->out, 2);
        resp_out_bulk_str(c->out, "matches");
        struct resp_deferred place = resp_out_deferred_begin(c->out);
        lcs_walk(c, l, o, NULL, &matches);
        resp_out_deferred_array(c->out, place, matches);
        resp_out_bulk_str(c->out, "len");
        resp_out_int(c->out, length);
    } else {
        char *result = resp_out_bulk_begin(c->out, length);
        if (result)
            lcs_walk(c, l, o, result, &matches);
    }
}

/* Copies both strings out and makes the table; false after an error reply. */
static bool
lcs_prepare(struct cmd *c, struct lcs *l, const struct string_view *a, const struct string_view *b)
{
    if (a->len >= UINT32_MAX - 1 || b->len >= UINT32_MAX - 1) {
        cmd_error(c, "ERR String too long for LCS");
        return false;
    }
    l->alen = (uint32_t)a->len;
    l->blen = (uint32_t)b->len;
    uint64_t cells = (uint64_t)(l->alen + 1) * (l->blen + 1), bytes;
    if (!__builtin_mul_overflow(cells, sizeof *l->table, &bytes)) {
        if (bytes > cmd_bulk_max(c)) {
            cmd_error(c, "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
            return false;
        }
        l->table = malloc(bytes);
        l->text = malloc(a->len + b->len + 1);
    }
    if (!l->table || !l->text) {
        cmd_error(c, "ERR Insufficient memory, failed allocating transient memory for LCS");
        return false;
    }
    type_string_copy(a, 0, l->text, a->len);
    type_string_copy(b, 0, l->text + a->len, b->len);
    l->a = l->text;
    l->b = l->text + a->len;
    return true;
}

void
cmd_lcs(struct cmd *c)
{
    struct key_ref ra, rb;
    struct string_view a, b;
    struct lcs_options o = {0};
    struct lcs l = {0};
    bool found_a = keyspace_read(c, 0, &ra), found_b = keyspace_read(c, 1, &rb);
    if ((found_a && shm_entry_type(ra.place.entry) != SHM_TYPE_STRING) ||
        (found_b && shm_entry_type(rb.place.entry) != SHM_TYPE_STRING)) {
        cmd_error(c, "ERR The specified keys must contain string values");
        return;
    }
    if (!parse_lcs(c, &o))
        return;
    cmd_string_view(c, &ra, &a);
    cmd_string_view(c, &rb, &b);
    if (lcs_prepare(c, &l, &a, &b)) {
        cmd_leave_read(c); /* the rest is quadratic */
        lcs_fill(&l);
        lcs_reply(c, &l, &o);
    }
    free(l.text);
    free(l.table);
}
