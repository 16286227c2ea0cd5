/* log.c - records, their way and their lines (see log.h).
 *
 * A record has one size bound, below what the kernel writes to a pipe as a whole; so the pipe needs no lock and no framing
 * beyond the record. The reader trusts no field (repair). A line is made only by the process that writes it, in the one format
 * in force. Drops are counted and told with the next record that gets through.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define TAKE_MAX 1000 /* records at once, so that a process that logs without end does not hold the writer up */

/* This process's log. */
static struct {
    const _Atomic int64_t *level;
    int out;              /* lines go here; standard output until told otherwise */
    int pipe;             /* records go here instead; -1: this process writes */
    bool syslog;
    log_formatter *format;
    unsigned long dropped;
    char path[4096];      /* "": standard output */
    char ident[64];       /* syslog keeps a pointer to it */
} own = {.out = STDOUT_FILENO, .pipe = -1, .format = log_format_plain};

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

size_t
log_format_plain(const struct log_record *r, char line[LOG_LINE_MAX])
{
    char when[64];
    struct tm tm;
    time_t s = (time_t)(r->time_ms / 1000);
    localtime_r(&s, &tm);
    strftime(when, sizeof when, "%d %b %Y %H:%M:%S", &tm);
    size_t n = (size_t)snprintf(line, LOG_LINE_MAX, "%d:%c %s.%03d %c %s", (int)r->pid, r->role, when, (int)(r->time_ms % 1000),
        ".-*#"[r->level], r->text);
    for (unsigned i = 0; i < r->fields && n < LOG_LINE_MAX - 1; i++)
        n += (size_t)snprintf(line + n, LOG_LINE_MAX - n, " %s=%s", r->field[i].key, r->field[i].value);
    if (n > LOG_LINE_MAX - 1)
        n = LOG_LINE_MAX - 1;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = ' ';
    line[n] = '\n';
    return n + 1;
}

static void
write_record(const struct log_record *r)
{
    static const int priorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING};
    char line[LOG_LINE_MAX];
    size_t n = own.format(r, line), done = 0;
    while (done < n) {
        ssize_t w = write(own.out, line + done, n - done);
        if (w < 0 && errno != EINTR)
            break;
        done += w > 0 ? (size_t)w : 0;
    }
    if (own.syslog)
        syslog(priorities[r->level], "%s", r->text);
}

/* What came from another process is not trusted further than it must be. */
static void
repair(struct log_record *r)
{
    if (r->level > LOG_LEVEL_WARNING)
        r->level = LOG_LEVEL_WARNING;
    if (r->fields > LOG_FIELDS_MAX)
        r->fields = LOG_FIELDS_MAX;
    if (r->role < 'A' || r->role > 'Z')
        r->role = '?';
    r->text[LOG_TEXT_MAX - 1] = '\0';
    for (unsigned i = 0; i < LOG_FIELDS_MAX; i++)
        r->field[i].key[LOG_KEY_MAX - 1] = r->field[i].value[LOG_VALUE_MAX - 1] = '\0';
}

void
log_take(int fd)
{
    struct log_record r;
    for (int i = 0; i < TAKE_MAX && read(fd, &r, sizeof r) == (ssize_t)sizeof r; i++) {
        repair(&r);
        write_record(&r);
    }
}

/* ---- set-up ------------------------------------------------------------------------------------------------------------ */

void
log_follow_level(const _Atomic int64_t *level)
{
    own.level = level;
}

static int
open_log(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

bool
log_open_file(const char *path)
{
    int fd = path[0] ? open_log(path) : STDOUT_FILENO;
    if (fd < 0)
        return false;
    tzset(); /* reads its file now, not when it may no more */
    if (own.out != STDOUT_FILENO)
        close(own.out);
    own.out = fd;
    snprintf(own.path, sizeof own.path, "%s", path);
    return true;
}

void
log_reopen(void)
{
    if (own.path[0] && !log_open_file(own.path))
        log_warning("cannot open the log file %s anew: %s; the old one is written on", own.path, strerror(errno));
}

void
log_open_syslog(const char *ident, unsigned facility)
{
    static const int facilities[] = {LOG_USER, LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};
    snprintf(own.ident, sizeof own.ident, "%s", ident);
    openlog(own.ident, LOG_PID | LOG_NDELAY | LOG_NOWAIT, facilities[facility % 9]);
    own.syslog = true;
}

void
log_to_pipe(int fd)
{
    own.pipe = fd;
    own.dropped = 0;
}

/* ---- use ------------------------------------------------------------------------------------------------------------------ */

static void
begin(struct log_record *r, enum log_level level, const char *format, va_list ap)
{
    r->skipped = (int64_t)level < (own.level ? atomic_load_explicit(own.level, memory_order_relaxed) : LOG_LEVEL_NOTICE);
    if (r->skipped)
        return;
    r->time_ms = clock_wall_ms();
    r->pid = (int32_t)getpid();
    r->level = (uint8_t)level;
    r->role = own.pipe >= 0 ? 'C' : 'M';
    r->fields = 0;
    vsnprintf(r->text, sizeof r->text, format, ap);
}

void
log_begin(struct log_record *r, enum log_level level, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    begin(r, level, format, ap);
    va_end(ap);
}

void
log_put(struct log_record *r, const char *key, const char *format, ...)
{
    va_list ap;
    if (r->skipped || r->fields == LOG_FIELDS_MAX)
        return;
    struct log_field *f = &r->field[r->fields++];
    snprintf(f->key, sizeof f->key, "%s", key);
    va_start(ap, format);
    vsnprintf(f->value, sizeof f->value, format, ap);
    va_end(ap);
}

void
log_end(struct log_record *r)
{
    if (r->skipped)
        return;
    if (own.pipe < 0) {
        write_record(r);
        return;
    }
    if (own.dropped)
        log_put(r, "dropped", "%lu", own.dropped);
    if (write(own.pipe, r, sizeof *r) == (ssize_t)sizeof *r)
        own.dropped = 0;
    else
        own.dropped++;
}

void
log_line(enum log_level level, const char *format, ...)
{
    struct log_record r;
    va_list ap;
    va_start(ap, format);
    begin(&r, level, format, ap);
    va_end(ap);
    log_end(&r);
}
