/* plain.c - text for people that holds what somebody else wrote (see plain.h). */
#include "cli/plain.h"

#include "base/buf.h"
#include "cli/json.h"

void
plain_vprintf(FILE *to, const char *format, va_list ap)
{
    struct buf text;
    buf_init(&text);
    buf_vprintf(&text, format, ap);
    const char *s = text.data;
    for (size_t i = 0; i < text.len && !buf_failed(&text);) {
        size_t n = json_utf8_length(s + i, text.len - i);
        unsigned char c = (unsigned char)s[i];
        if (n > 1 || (n == 1 && (c == '\n' || (c >= ' ' && c != 0x7f))))
            fwrite(s + i, 1, n, to);
        else
            fprintf(to, "\\x%02x", c);
        i += n > 0 ? n : 1;
    }
    buf_destroy(&text);
}

void
plain_printf(FILE *to, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    plain_vprintf(to, format, ap);
    va_end(ap);
}
