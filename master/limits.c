/* limits.c - the machine's limits (see limits.h). Sources: cgroups(7), proc(5).
 *
 * A region that is too large is answered by the kernel much later and with SIGKILL, so its size is found by asking everything
 * that may limit it and taking the least. Nothing here fails: what cannot be read limits nothing.
 * Process: master, before the region is made and at a reload.
 */
#include "master/limits.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "master/hugetlb.h"

#define DESCRIPTORS_FEW 48
#define DESCRIPTORS_MAX 65536 /* taken where they are allowed, so that maxclients can be raised */
#define HEADROOM_MIN (128ull << 20)
#define HEADROOM_SHARE 10 /* a tenth */

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The number in a file; UINT64_MAX if there is none ("max", or no such file). */
static uint64_t
read_number(const char *path)
{
    unsigned long long v;
    FILE *f = fopen(path, "re");
    if (!f)
        return UINT64_MAX;
    if (fscanf(f, "%llu", &v) != 1)
        v = UINT64_MAX;
    fclose(f);
    return v;
}

/* The least limit of a group and its ancestors. group begins with '/'; it is cut up in place. */
static uint64_t
chain_limit(const char *mount, char *group, const char *file)
{
    char path[512];
    uint64_t limit = UINT64_MAX;
    for (;;) {
        snprintf(path, sizeof path, "%s%s/%s", mount, group, file);
        limit = least(limit, read_number(path));
        char *slash = strrchr(group, '/');
        if (!slash)
            return limit;
        *slash = '\0';
    }
}

static uint64_t
group_limit(void)
{
    char line[512];
    uint64_t limit = UINT64_MAX;
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        if (strcmp(names, ":") == 0)
            limit = least(limit, chain_limit("/sys/fs/cgroup", group, "memory.max"));
        else if (strstr(names, "memory"))
            limit = least(limit, chain_limit("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
    if (f)
        fclose(f);
    return limit;
}

static uint64_t
machine_limit(void)
{
    return least((uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), group_limit());
}

uint64_t
limits_private_bytes(void)
{
    uint64_t limit = machine_limit(), headroom = limit / HEADROOM_SHARE;
    return headroom > HEADROOM_MIN ? headroom : least(HEADROOM_MIN, limit);
}

uint64_t
limits_region_bytes(const char *dir)
{
    struct statfs fs;
    struct statvfs v;
    if (statfs(dir, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
        return hugetlb_free_bytes(); /* set aside already, and no group's limit counts them */
    uint64_t limit = machine_limit() - limits_private_bytes();
    if (statvfs(dir, &v) == 0)
        limit = least(limit, (uint64_t)v.f_bavail * v.f_frsize);
    return limit;
}

/* ---- descriptors --------------------------------------------------------------------------------------------------------- */

uint32_t
limits_own_descriptors(const struct settings *s)
{
    uint32_t addresses = 1;
    for (const char *p = settings_text(s, PARAM_BIND); *p; p++)
        addresses += *p == ' ';
    return DESCRIPTORS_FEW + (uint32_t)settings_number(s, PARAM_WORKERS) * (addresses + 2);
}

void
limits_fit_clients(struct settings *s, uint32_t own)
{
    struct rlimit l;
    rlim_t clients = (rlim_t)settings_number(s, PARAM_MAXCLIENTS);
    if (getrlimit(RLIMIT_NOFILE, &l) != 0)
        return;
    rlim_t want = clients + own > DESCRIPTORS_MAX ? clients + own : DESCRIPTORS_MAX;
    l.rlim_cur = l.rlim_max < want ? l.rlim_max : want;
    if (setrlimit(RLIMIT_NOFILE, &l) != 0 && getrlimit(RLIMIT_NOFILE, &l) != 0)
        return;
    if (l.rlim_cur >= clients + own)
        return;
    clients = l.rlim_cur > own ? l.rlim_cur - own : 1;
    log_warning("only %lu descriptors are allowed: maxclients is %lu; raise the limit (ulimit -n) for more", (unsigned long)l.rlim_cur,
        (unsigned long)clients);
    settings_set_number(s, PARAM_MAXCLIENTS, (int64_t)clients);
}
