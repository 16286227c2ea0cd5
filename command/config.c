/* config.c - values of the parameters (see config.h).
 *
 * A number is read in one load by whoever needs it; only texts need the lock. A change is written to `next` in full, then
 * `next_whole` makes it final, then it is copied (settle). Each step may be repeated, so the next holder of a dead one's lock
 * simply settles first. What a changed value does is the job of whoever looks at `generation`.
 */
#include "command/config.h"

#include <string.h>

#include "base/xassert.h"
#include "command/control.h"
#include "command/engine.h"
#include "shm/shm_lock.h"

/* ---- one set of values ------------------------------------------------------------------------------------------------ */

static void
store(struct config_sh *c, unsigned i, int64_t n)
{
    atomic_store_explicit(&c->number[i], n, memory_order_relaxed);
}

void
config_get(const struct config_sh *c, int id, struct param_value *v)
{
    const struct param *p = &params[id];
    v->number = config_value(c, (enum param_id)id);
    for (unsigned i = 0; p->kind == PARAM_OUTPUT_LIMIT && i < PARAM_OUTPUT_CLASSES * 3; i++)
        v->output[i / 3][i % 3] = config_value(c, (enum param_id)(PARAM_COUNT + i));
    if (p->text >= 0)
        memcpy(v->text, c->text[p->text], PARAM_TEXT_MAX);
}

void
config_put(struct config_sh *c, int id, const struct param_value *v)
{
    const struct param *p = &params[id];
    store(c, (unsigned)id, v->number);
    for (unsigned i = 0; p->kind == PARAM_OUTPUT_LIMIT && i < PARAM_OUTPUT_CLASSES * 3; i++)
        store(c, PARAM_COUNT + i, v->output[i / 3][i % 3]);
    if (p->text >= 0)
        memcpy(c->text[p->text], v->text, PARAM_TEXT_MAX);
}

void
config_copy(struct config_sh *to, const struct config_sh *from)
{
    for (unsigned i = 0; i < CONFIG_NUMBERS; i++)
        store(to, i, atomic_load_explicit(&from->number[i], memory_order_relaxed));
    memcpy(to->text, from->text, sizeof to->text);
}

void
config_defaults(struct config_sh *c)
{
    for (int id = 0; id < PARAM_COUNT; id++) {
        struct param_value v = {0};
        char error[PARAM_ERROR_MAX];
        bool ok = param_parse_text(&params[id], params[id].fallback, strlen(params[id].fallback), &v, error);
        xassert(ok);
        config_put(c, id, &v);
    }
}

/* ---- the shared values --------------------------------------------------------------------------------------------------- */

/* What was published and not yet copied; may be done again. */
static void
settle(struct config_page_sh *page)
{
    if (atomic_load_explicit(&page->next_whole, memory_order_acquire) == 0)
        return;
    config_copy(&page->live, &page->next);
    atomic_fetch_add(&page->generation, 1);
    atomic_store_explicit(&page->next_whole, 0, memory_order_release);
}

void
config_enter(struct engine *e)
{
    shm_lock_take(e->region, e->slot, e->region->nshards + SHM_REG_CONFIG);
    settle(&e->control->config);
}

void
config_leave(struct engine *e)
{
    shm_lock_drop(e->region, e->region->nshards + SHM_REG_CONFIG);
}

void
config_settle(struct engine *e)
{
    config_enter(e);
    config_leave(e);
}

void
config_read_text(struct engine *e, int id, char text[PARAM_TEXT_MAX])
{
    xassert(params[id].text >= 0);
    config_enter(e);
    memcpy(text, e->control->config.live.text[params[id].text], PARAM_TEXT_MAX);
    config_leave(e);
    text[PARAM_TEXT_MAX - 1] = '\0';
}

struct config_sh *
config_begin(struct engine *e)
{
    config_copy(&e->control->config.next, &e->control->config.live);
    return &e->control->config.next;
}

void
config_publish(struct engine *e)
{
    /* release: whoever finds it set finds next whole; pairs with settle */
    atomic_store_explicit(&e->control->config.next_whole, 1, memory_order_release);
    settle(&e->control->config);
}

bool
config_tell_idle(struct config_page_sh *page, int id)
{
    struct param_value v = {0}, fallback = {0};
    char now[PARAM_TEXT_MAX], at_first[PARAM_TEXT_MAX], error[PARAM_ERROR_MAX];
    const struct param *p = &params[id];
    if (!(p->flags & PARAM_IDLE) || !param_parse_text(p, p->fallback, strlen(p->fallback), &fallback, error))
        return false;
    config_get(&page->live, id, &v);
    param_format(p, &v, now);
    param_format(p, &fallback, at_first);
    return strcmp(now, at_first) != 0 && atomic_exchange(&page->told[id], 1) == 0;
}

bool
config_take_reload(struct engine *e)
{
    struct config_page_sh *page = &e->control->config;
    struct param_value v = {0};
    if (atomic_load_explicit(&page->reload_whole, memory_order_acquire) == 0)
        return false;
    config_enter(e);
    struct config_sh *next = config_begin(e);
    for (int id = 0; id < PARAM_COUNT; id++) {
        if (!page->reload_marked[id])
            continue;
        config_get(&page->reload, id, &v);
        config_put(next, id, &v);
    }
    config_publish(e);
    config_leave(e);
    atomic_store_explicit(&page->reload_whole, 0, memory_order_release); /* a death before is a second copy of the same */
    return true;
}
