/* oom.c - scores for the kernel (see oom.h). Source: proc(5).
 *
 * The scores are written to /proc for every process each time that the parameters or the children have changed; the first look
 * keeps the score that the server was started with, which `no` puts back and `relative` counts from.
 */
#include "master/oom.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { OOM_NO, OOM_YES, OOM_RELATIVE, OOM_ABSOLUTE }; /* the words of oom-score-adj */

static int base_score;      /* the master's own before anything was changed */
static bool base_known, changed, failed;

static int
read_score(void)
{
    int score = 0;
    FILE *f = fopen("/proc/self/oom_score_adj", "re");
    if (!f || fscanf(f, "%d", &score) != 1)
        score = 0;
    if (f)
        fclose(f);
    return score;
}

static void
set_score(pid_t pid, int score)
{
    char path[64];
    score = score < -1000 ? -1000 : score > 1000 ? 1000 : score;
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
    FILE *f = fopen(path, "we");
    bool ok = f && fprintf(f, "%d\n", score) > 0;
    if (f)
        ok = fclose(f) == 0 && ok;
    if (ok || failed || errno == ENOENT)
        return;
    failed = true;
    log_warning("cannot set the out-of-memory score of process %d to %d: %s; oom-score-adj has no full effect", (int)pid, score,
        strerror(errno));
}

void
oom_adjust(const struct config_sh *c, const struct children *children)
{
    int values[3] = {0};
    int64_t how = config_value(c, PARAM_OOM_SCORE_ADJ);
    if (how == OOM_NO && !changed)
        return;
    if (!base_known)
        base_score = read_score();
    base_known = true;
    /* a change in the middle of this read is a change of the generation, and brings the master here again */
    if (how != OOM_NO && sscanf(c->text[PARAM_TEXT_OOM_SCORE_ADJ_VALUES], "%d %d %d", &values[0], &values[1], &values[2]) != 3)
        return;
    int base = how == OOM_ABSOLUTE ? 0 : base_score;
    set_score(getpid(), base + values[0]);
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (children->child[i].pid)
            set_score(children->child[i].pid, base + values[2]);
    changed = how != OOM_NO;
}
