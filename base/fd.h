/* fd.h - whole writes, and directories that are on the disk.
 *
 * Process: any. Fails: returned, with errno. Nothing is logged.
 */
#ifndef KVSTASH_BASE_FD_H
#define KVSTASH_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>

/* Writes all n bytes to a descriptor that blocks. False: an unknown part of them was written. */
bool fd_write_all(int fd, const void *bytes, size_t n);
/* Syncs a directory: the names in it are then on the disk. */
bool fd_sync_directory(const char *path);
/* Syncs the directory that the path, of at most PATH_MAX bytes, is in. */
bool fd_sync_parent(const char *path);

#endif
