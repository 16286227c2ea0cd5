/* limits.h - what this machine gives: memory for the region, descriptors for clients. */
#ifndef KVSTASH_MASTER_LIMITS_H
#define KVSTASH_MASTER_LIMITS_H

#include <stdint.h>

#include "master/settings.h"

/* Bytes: the least of RAM, the memory limits of the control groups up the chain (v1 and v2), and what is free in the
 * file system of `dir`, less headroom for private heaps. A limit that cannot be read counts as none. A memory control
 * group answers what goes beyond it with SIGKILL, so it must be known before. */
uint64_t limits_region_bytes(const char *dir);
/* Bytes: what the private heaps of all processes may take: the headroom that the region leaves. */
uint64_t limits_private_bytes(void);

/* Descriptors that a process needs beside its clients': listeners and wake-ups of all slots, channels, files. */
uint32_t limits_own_descriptors(const struct settings *s);
/* Raises the process's limit of descriptors; where fewer are allowed than its own and maxclients, lowers maxclients and says so. */
void limits_fit_clients(struct settings *s, uint32_t own);

#endif
