/* log.h - what happened, as records that are formatted only where they are written.
 *
 * One process (the master) writes: to standard output, a file, the system's log. The others hand their records over on a
 * pipe, whole (a record is smaller than PIPE_BUF, so none is ever cut or mixed), and never wait: if the pipe is full, the
 * record is dropped and the number of those dropped is told later. So a process that may open no file can log, and a
 * process that dies while it logs leaves nothing half.
 *
 * Process: all. Locks: none; not under a shard lock, because it is a system call. Fails: what cannot be written is lost.
 */
#ifndef KVSTASH_BASE_LOG_H
#define KVSTASH_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_VERBOSE, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING };

#define LOG_FIELDS_MAX 6
#define LOG_KEY_MAX 16
#define LOG_VALUE_MAX 112
#define LOG_TEXT_MAX 2048
#define LOG_LINE_MAX 4096

struct log_field {
    char key[LOG_KEY_MAX], value[LOG_VALUE_MAX];
};

struct log_record {
    int64_t time_ms;       /* wall clock */
    int32_t pid;
    uint8_t level;         /* enum log_level */
    char role;             /* M: master, C: one of its children */
    uint8_t fields;
    bool skipped;          /* below the level in force: not sent */
    struct log_field field[LOG_FIELDS_MAX];
    char text[LOG_TEXT_MAX];
};
_Static_assert(sizeof(struct log_record) <= 4096, "one write to a pipe is whole up to PIPE_BUF");

/* Turns a record into one line with its newline; returns its length. */
typedef size_t log_formatter(const struct log_record *r, char line[LOG_LINE_MAX]);
log_formatter log_format_plain; /* 123:M 25 Nov 2026 00:00:00.123 * text key=value */

/* ---- set-up ------------------------------------------------------------------------------------------------------------ */

/* The level in force, a word that others may change at any time (as enum log_level); NULL: notice. */
void log_follow_level(const _Atomic int64_t *level);
/* This process writes: to the file, or to standard output if path is empty. False with errno: it cannot be opened. */
bool log_open_file(const char *path);
/* To the system's log as well; facility: 0 user, 1 .. 8 local0 .. local7. */
void log_open_syslog(const char *ident, unsigned facility);
/* Opens the file anew, after it was moved away. */
void log_reopen(void);
/* This process hands its records over on a pipe (non-blocking). */
void log_to_pipe(int fd);
/* Writes records that wait in the pipe, a bounded number. The writing process. */
void log_take(int fd);

/* ---- use ------------------------------------------------------------------------------------------------------------------ */

void log_begin(struct log_record *r, enum log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));
void log_put(struct log_record *r, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
void log_end(struct log_record *r);

/* A record without fields. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_verbose(...) log_line(LOG_LEVEL_VERBOSE, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)

#endif
