/* daemon.c - the background and the pid file (see daemon.h).
 *
 * Two forks and a session between them, so that the daemon can never get a terminal. The pipe to the caller stays open until a
 * report is written; its end without one tells the caller that the daemon died.
 */
#include "master/daemon.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_MAX 1024

static int caller = -1;          /* the pipe to the caller; -1: none waits */
static char pid_path[4096];      /* "": none was written */

/* The caller: shows what the daemon reports and ends as it says. */
static _Noreturn void
wait_for_report(int from)
{
    char text[REPORT_MAX + 1];
    size_t n = 0;
    ssize_t got;
    /* a zero byte ends it, or the pipe's end; children hold the pipe as well, and stay */
    while (n < REPORT_MAX && !memchr(text, '\0', n) && (got = read(from, text + n, REPORT_MAX - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    if (strcmp(text, "ready") == 0)
        _exit(0);
    fprintf(stderr, "kvstash: %s\n", text[0] ? text : "the daemon ended before it was ready");
    fflush(stderr);
    _exit(1);
}

bool
daemon_begin(void)
{
    int channel[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    fflush(stdout);
    fflush(stderr);
    if (null < 0 || pipe2(channel, O_CLOEXEC) != 0)
        return false;
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid > 0) {
        close(channel[1]);
        wait_for_report(channel[0]);
    }
    close(channel[0]);
    caller = channel[1];
    setsid();
    pid = fork();
    if (pid != 0)
        _exit(pid < 0); /* without a second process the caller reads an end */
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    close(null);
    return true;
}

void
daemon_report(const char *refusal)
{
    if (caller < 0)
        return;
    const char *text = refusal ? refusal : "ready";
    ssize_t w = write(caller, text, strlen(text) + 1);
    (void)w; /* a caller that has gone needs no report */
    close(caller);
    caller = -1;
}

bool
daemon_pid_file_write(const char *path)
{
    FILE *f = fopen(path, "we");
    if (!f)
        return false;
    bool ok = fprintf(f, "%d\n", (int)getpid()) > 0;
    ok = fclose(f) == 0 && ok;
    snprintf(pid_path, sizeof pid_path, "%s", path);
    return ok;
}

void
daemon_pid_file_remove(void)
{
    if (pid_path[0])
        unlink(pid_path);
}
