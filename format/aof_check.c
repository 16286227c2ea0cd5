/* aof_check.c - looks at a whole append-only file and sums up (see aof_check.h). */
#include "format/aof_check.h"

#include <string.h>
#include <strings.h>

#define PROGRESS_EVERY 4096u /* commands */
#define WORDS_SHOWN 3
#define WORD_SHOWN 36u /* bytes */

void
aof_check_show(const struct resp_arg *argv, int argc, char text[AOF_CHECK_COMMAND_MAX])
{
    size_t to = 0;
    for (int i = 0; i < argc && i < WORDS_SHOWN; i++) {
        size_t n = argv[i].len < WORD_SHOWN ? argv[i].len : WORD_SHOWN;
        if (i > 0)
            text[to++] = ' ';
        for (size_t k = 0; k < n; k++)
            text[to++] = argv[i].data[k] > ' ' && argv[i].data[k] < 0x7f ? argv[i].data[k] : '.';
    }
    text[to] = '\0';
}

static void
count(struct aof_check *c, const struct aof_in *in)
{
    c->commands++;
    c->ungrouped += !in->grouped;
    c->transactions += in->multi && in->argv[0].len == 5 && strncasecmp(in->argv[0].data, "multi", 5) == 0;
    if (in->grouped && c->first_ticket == 0)
        c->first_ticket = in->group.first;
}

void
aof_check_run(struct aof_check *c, const char *bytes, size_t n, size_t from, aof_check_progress *progress, void *arg)
{
    struct aof_in in;
    *c = (struct aof_check){ 0 };
    aof_in_open(&in, bytes, n, from, 0);
    while ((c->result = aof_in_next(&in)) == AOF_IN_COMMAND) {
        count(c, &in);
        aof_check_show(in.argv, in.argc, c->last);
        if (progress != NULL && c->commands % PROGRESS_EVERY == 0)
            progress(arg, in.end);
    }
    c->annotated = in.annotated;
    c->head = in.head;
    c->groups = in.groups;
    c->last_ticket = in.groups > 0 ? in.last_ticket : 0;
    c->whole = in.whole;
    c->error = in.error;
    aof_in_close(&in);
}
