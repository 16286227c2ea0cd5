/* settings.h - parameters that the server's commands and the worker's limits read, by name. */
#ifndef KVSTASH_COMMAND_SETTINGS_H
#define KVSTASH_COMMAND_SETTINGS_H

#include <stdint.h>

#include "command/engine.h"

enum settings_debug { SETTINGS_DEBUG_NO, SETTINGS_DEBUG_YES, SETTINGS_DEBUG_LOCAL };

/* enable-debug-command */
static inline enum settings_debug
settings_debug(const struct engine *e)
{
    (void)e;
    return SETTINGS_DEBUG_YES;
}

#endif
