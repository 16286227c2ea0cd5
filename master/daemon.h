/* daemon.h - going to the background, with the caller told how the start ended; the pid file.
 *
 * The caller's process waits at one end of a pipe until the daemon is ready (status 0) or has refused to start (its message
 * on standard error, status 1). The daemon is the grandchild, in a session of its own, without a terminal.
 *
 * Process: master, before it makes anything that belongs to a process. Fails: returned with errno.
 */
#ifndef KVSTASH_MASTER_DAEMON_H
#define KVSTASH_MASTER_DAEMON_H

#include <stdbool.h>

/* Returns in the daemon only. False: no process or pipe for it. */
bool daemon_begin(void);
/* Tells the caller, if there is one: NULL is ready, else why not. */
void daemon_report(const char *refusal);

/* Writes the master's id into the file, which is removed by daemon_pid_file_remove. */
bool daemon_pid_file_write(const char *path);
void daemon_pid_file_remove(void);

#endif
