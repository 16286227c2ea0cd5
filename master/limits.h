/* limits.h - how much memory the region may take on this machine. */
#ifndef KVSTASH_MASTER_LIMITS_H
#define KVSTASH_MASTER_LIMITS_H

#include <stdint.h>

/* Bytes: the least of RAM, the memory limits of the control groups up the chain (v1 and v2), and what is free in the
 * file system of `dir`, less headroom for private heaps. A limit that cannot be read counts as none. A memory control
 * group answers what goes beyond it with SIGKILL, so it must be known before. */
uint64_t limits_region_bytes(const char *dir);

#endif
