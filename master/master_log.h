/* master_log.h - the master's log lines. */
#ifndef KVSTASH_MASTER_MASTER_LOG_H
#define KVSTASH_MASTER_MASTER_LOG_H

#include <stdio.h>
#include <unistd.h>

#define log_notice(format, ...) (printf("%d:M * " format "\n", (int)getpid(), ##__VA_ARGS__), fflush(stdout))
#define log_warning(format, ...) (printf("%d:M # " format "\n", (int)getpid(), ##__VA_ARGS__), fflush(stdout))

#endif
