/* hugetlb.c - reserved huge pages (see hugetlb.h). Fails: what cannot be read counts as none. */
#include "master/hugetlb.h"

#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PAGE_BYTES (2u << 20)
#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"

bool
hugetlb_mount(char *dir, size_t room)
{
    bool found = false;
    struct mntent *m;
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    while (mounts && !found && (m = getmntent(mounts))) {
        struct statfs fs;
        if (strcmp(m->mnt_type, "hugetlbfs") != 0 || strlen(m->mnt_dir) >= room || access(m->mnt_dir, W_OK) != 0)
            continue;
        found = statfs(m->mnt_dir, &fs) == 0 && fs.f_bsize == PAGE_BYTES;
        if (found)
            strcpy(dir, m->mnt_dir);
    }
    if (mounts)
        endmntent(mounts);
    return found;
}

static uint64_t
pool_number(const char *path)
{
    unsigned long long v = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%llu", &v) != 1)
        v = 0;
    fclose(f);
    return v;
}

uint64_t
hugetlb_free_bytes(void)
{
    uint64_t all = pool_number(POOL "free_hugepages"), reserved = pool_number(POOL "resv_hugepages");
    return all > reserved ? (all - reserved) * PAGE_BYTES : 0;
}
