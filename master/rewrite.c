/* rewrite.c - the configuration file written (see rewrite.h).
 *
 * The values in force are copied when nobody is changing them, each that differs from what the file says is edited in its place
 * (base/conf_edit.c), and the result is read back as a start would read it. Only a text that then says what is in force is
 * written; if editing does not lead there, the file is composed anew and has to pass the same test.
 */
#include "master/rewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/conf_edit.h"
#include "base/fd.h"

#define SNAPSHOT_TRIES 1000
#define PATH_BYTES 4200

/* Too large for the stack. */
static struct settings in_file;
static struct config_sh live;

/* ---- what is in force ------------------------------------------------------------------------------------------------- */

/* A copy during which nobody changed anything: the master takes no lock. */
static bool
take_snapshot(const struct config_page_sh *page)
{
    for (int i = 0; i < SNAPSHOT_TRIES; i++) {
        uint64_t before = atomic_load(&page->generation);
        if (atomic_load(&page->next_whole) == 0) {
            config_copy(&live, &page->live);
            atomic_thread_fence(memory_order_acquire); /* the copy was made before the second look */
            if (atomic_load(&page->next_whole) == 0 && atomic_load(&page->generation) == before)
                return true;
        }
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    return false;
}

static void
text_of(const struct config_sh *c, int id, char text[PARAM_TEXT_MAX])
{
    struct param_value v = {0};
    config_get(c, id, &v);
    param_format(&params[id], &v, text);
}

static bool
differs(int id)
{
    char now[PARAM_TEXT_MAX], file[PARAM_TEXT_MAX];
    if (params[id].flags & PARAM_HIDDEN)
        return false;
    text_of(&live, id, now);
    text_of(&in_file.values, id, file);
    return strcmp(now, file) != 0;
}

/* ---- as the file writes it ------------------------------------------------------------------------------------------------ */

static bool
is_plain_number(const struct param *p, const char *text)
{
    return (p->kind == PARAM_INT || p->kind == PARAM_MEMORY) && strlen(text) <= 9;
}

/* A word of redis.conf needs no quotes? */
static bool
is_plain_word(const struct param *p, const char *text)
{
    return text[0] && !strpbrk(text, "\"'\\#\t\r\n") && ((p->flags & PARAM_MULTI) || !strchr(text, ' '));
}

static void
render(struct buf *out, int id, bool redis)
{
    char text[PARAM_TEXT_MAX];
    text_of(&live, id, text);
    if (redis ? is_plain_word(&params[id], text) : is_plain_number(&params[id], text))
        buf_append_str(out, text);
    else
        conf_edit_quote(out, text, redis);
}

static bool
edit(struct buf *text, int id, bool redis)
{
    const struct param *p = &params[id];
    struct buf value;
    buf_init(&value);
    render(&value, id, redis);
    buf_append(&value, "", 1);
    bool ok = !buf_failed(&value) && (redis ? conf_edit_set_redis(text, p->name, p->alias, buf_head(&value))
                                            : conf_edit_set(text, param_group_names[p->group], p->name, buf_head(&value)));
    buf_destroy(&value);
    return ok;
}

/* Makes the text say what is in force; in_file is what it says so far. False: it does not, afterwards. */
static bool
edit_all(struct buf *text, const char *path, bool redis)
{
    char error[SETTINGS_ERROR_MAX];
    bool ok = true;
    for (int id = 0; id < PARAM_COUNT && ok; id++)
        if (differs(id))
            ok = edit(text, id, redis);
    if (!ok || !settings_read_text(&in_file, buf_head(text), buf_pending(text), path, redis, error))
        return false;
    for (int id = 0; id < PARAM_COUNT; id++)
        if (differs(id))
            return false;
    return true;
}

/* ---- the file ---------------------------------------------------------------------------------------------------------------- */

static int
replace(const char *path, const struct buf *text)
{
    char aside[PATH_BYTES + 32];
    struct stat st;
    mode_t mode = stat(path, &st) == 0 ? st.st_mode & 07777 : 0644;
    snprintf(aside, sizeof aside, "%s.new-%d", path, (int)getpid());
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    bool ok = fd_write_all(fd, buf_head(text), buf_pending(text)) && fsync(fd) == 0 && fchmod(fd, mode) == 0;
    int error = ok ? 0 : errno;
    close(fd);
    if (ok && (rename(aside, path) != 0 || !fd_sync_parent(path)))
        error = errno;
    if (error)
        unlink(aside);
    return error;
}

int
rewrite_file(const struct options *o, struct config_page_sh *page)
{
    char error[SETTINGS_ERROR_MAX], path[PATH_BYTES];
    bool redis = o->redis_conf != NULL;
    struct buf text;
    size_t n;
    char *real = realpath(redis ? o->redis_conf : o->file, NULL); /* a link stays one */
    snprintf(path, sizeof path, "%s", real ? real : redis ? o->redis_conf : o->file);
    free(real);
    char *old = conf_load(path, &n, error);
    if (!old && access(path, F_OK) == 0)
        return EACCES;
    if (!take_snapshot(page)) {
        free(old);
        return EAGAIN;
    }
    buf_init(&text);
    buf_append(&text, old ? old : "", n);
    free(old);
    bool ok = settings_read_text(&in_file, buf_head(&text), n, path, redis, error) && edit_all(&text, path, redis);
    if (!ok) {
        buf_clear(&text, 0);
        buf_append_str(&text, "# Written by CONFIG REWRITE.\n");
        ok = settings_read_text(&in_file, "", 0, path, redis, error) && edit_all(&text, path, redis);
    }
    int result = ok ? replace(path, &text) : EINVAL;
    buf_destroy(&text);
    return result;
}
