/* reload.c - the file read anew (see reload.h).
 *
 * All sources are read as at the start, into a second set of values. Those that some source names, now or at the last reading,
 * are marked and published with one store; the housekeeper makes them live under the lock that the master may not take.
 */
#include "master/reload.h"

#include <string.h>

#include "base/log.h"
#include "master/limits.h"

static bool
is_equal(const struct config_sh *a, const struct config_sh *b, int id)
{
    struct param_value va = {0}, vb = {0};
    char ta[PARAM_TEXT_MAX], tb[PARAM_TEXT_MAX];
    config_get(a, id, &va);
    config_get(b, id, &vb);
    param_format(&params[id], &va, ta);
    param_format(&params[id], &vb, tb);
    return strcmp(ta, tb) == 0;
}

static void
hand_over(const struct settings *last, const struct settings *now, struct control_sh *control)
{
    struct config_page_sh *page = &control->config;
    memset(page->reload_marked, 0, sizeof page->reload_marked);
    config_copy(&page->reload, &now->values);
    for (int id = 0; id < PARAM_COUNT; id++) {
        bool named = now->source[id] != SETTINGS_DEFAULT || last->source[id] != SETTINGS_DEFAULT;
        if (!named)
            continue;
        page->reload_marked[id] = !(params[id].flags & PARAM_IMMUTABLE);
        if (!page->reload_marked[id] && !is_equal(&last->values, &now->values, id))
            log_warning("%s has changed in the configuration: it takes effect at the next start", params[id].name);
    }
    /* release: who sees it set sees the values; pairs with config_take_reload */
    atomic_store_explicit(&page->reload_whole, 1, memory_order_release);
}

bool
reload(struct settings *last, const struct options *o, struct control_sh *control)
{
    static struct settings now; /* too large for the stack */
    char error[SETTINGS_ERROR_MAX];
    if (atomic_load_explicit(&control->config.reload_whole, memory_order_acquire))
        return false;
    if (!settings_load(&now, o, error) || !settings_check(&now, error)) {
        log_warning("SIGHUP: nothing is changed: %s", error);
        return true;
    }
    limits_fit_clients(&now, control->descriptors);
    hand_over(last, &now, control);
    *last = now;
    log_notice("SIGHUP: the configuration was read anew");
    return true;
}
