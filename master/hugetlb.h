/* hugetlb.h - reserved huge pages: where their file system is mounted, how many are free.
 *
 * Process: master, before it forks. Source: hugetlbpage.rst of the Linux kernel, proc(5).
 */
#ifndef KVSTASH_MASTER_HUGETLB_H
#define KVSTASH_MASTER_HUGETLB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first mounted hugetlbfs of 2 MiB pages in which this user may make files. False: there is none. */
bool hugetlb_mount(char *dir, size_t room);
/* Bytes of 2 MiB pages that nobody uses or has reserved. */
uint64_t hugetlb_free_bytes(void);

#endif
