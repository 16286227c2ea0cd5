/* aof_error.c - what is wrong with a file of the log (see aof_error.h). */
#include "format/aof_error.h"

#include <stdarg.h>
#include <stdio.h>

void
aof_error_set(struct aof_error *e, uint64_t offset, unsigned line, const char *format, ...)
{
    va_list ap;
    e->offset = offset;
    e->line = line;
    va_start(ap, format);
    vsnprintf(e->text, sizeof e->text, format, ap);
    va_end(ap);
}
