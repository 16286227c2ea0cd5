/* test_log.c - log records: their form, their level, their way through a pipe. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

static char text[65536];

static const char *
content(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    return text;
}

Test(log, a_line_as_redis_writes_it)
{
    struct log_record r = {.time_ms = 1795564800123, .pid = 77, .level = LOG_LEVEL_WARNING, .role = 'M', .fields = 1, .text = "a\nb"};
    char line[LOG_LINE_MAX];
    setenv("TZ", "UTC", 1);
    tzset();
    strcpy(r.field[0].key, "slot");
    strcpy(r.field[0].value, "3");
    line[log_format_plain(&r, line)] = '\0';
    cr_assert_str_eq(line, "77:M 25 Nov 2026 00:00:00.123 # a b slot=3\n");
}

Test(log, the_longest_record_is_one_line)
{
    struct log_record r = {.level = LOG_LEVEL_NOTICE, .role = 'C', .fields = LOG_FIELDS_MAX};
    char line[LOG_LINE_MAX];
    memset(r.text, 'x', sizeof r.text - 1);
    for (unsigned i = 0; i < LOG_FIELDS_MAX; i++) {
        memset(r.field[i].key, 'k', LOG_KEY_MAX - 1);
        memset(r.field[i].value, 'v', LOG_VALUE_MAX - 1);
    }
    size_t n = log_format_plain(&r, line);
    cr_assert_leq(n, LOG_LINE_MAX);
    cr_assert_eq(line[n - 1], '\n');
    cr_assert_null(memchr(line, '\n', n - 1));
}

Test(log, levels_and_a_file_opened_anew)
{
    char path[] = "/tmp/kvstash-log-XXXXXX", moved[64];
    _Atomic int64_t level = LOG_LEVEL_NOTICE;
    close(mkstemp(path));
    snprintf(moved, sizeof moved, "%s.1", path);
    cr_assert(log_open_file(path));
    log_follow_level(&level);
    log_verbose("not this");
    log_notice("this %d", 1);
    atomic_store(&level, LOG_LEVEL_DEBUG);
    log_debug("and this");
    cr_assert_eq(rename(path, moved), 0);
    log_reopen();
    log_warning("new file");
    cr_assert(!strstr(content(moved), "not this") && strstr(text, " * this 1\n") && strstr(text, " . and this\n") && !strstr(text, "new file"), "%s", text);
    cr_assert(strstr(content(path), " # new file\n"), "%s", text);
    cr_assert_not(log_open_file("/nonexistent/log"));
    unlink(path);
    unlink(moved);
}

Test(log, records_through_a_pipe_and_those_dropped)
{
    char path[] = "/tmp/kvstash-log-XXXXXX";
    int channel[2];
    close(mkstemp(path));
    cr_assert_eq(pipe2(channel, O_NONBLOCK), 0);
    log_to_pipe(channel[1]);
    for (int i = 0; i < 1000; i++)
        log_notice("line %d", i);
    cr_assert(log_open_file(path));
    log_take(channel[0]);
    log_notice("after");
    log_take(channel[0]);
    content(path);
    cr_assert(strstr(text, ":C ") && strstr(text, " * line 0\n") && !strstr(text, " * line 999\n"), "%s", text);
    cr_assert(strstr(text, " * after dropped="), "%s", text);
    unlink(path);
}

Test(log, a_spoiled_record_does_no_harm)
{
    char path[] = "/tmp/kvstash-log-XXXXXX";
    struct log_record r;
    int channel[2];
    close(mkstemp(path));
    cr_assert_eq(pipe2(channel, O_NONBLOCK), 0);
    cr_assert(log_open_file(path));
    memset(&r, 0xff, sizeof r);
    cr_assert_eq(write(channel[1], &r, sizeof r), (ssize_t)sizeof r);
    log_take(channel[0]);
    cr_assert(strchr(content(path), '\n'));
    unlink(path);
}
