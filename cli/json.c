/* json.c - text as JSON strings (see json.h).
 *
 * A string is passed through character by character; what is whole UTF-8 and needs no escape is copied. Numbers get as few
 * digits as give the same number back.
 */
#include "cli/json.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t
json_utf8_length(const char *bytes, size_t n)
{
    const unsigned char *s = (const unsigned char *)bytes;
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
    if (len < 2)
        return len;
    if (len > n)
        return 0;
    uint32_t c = s[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    return c >= smallest[len] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? len : 0;
}

bool
json_is_text(const char *bytes, size_t len)
{
    const unsigned char *s = (const unsigned char *)bytes;
    for (size_t i = 0; i < len;) {
        size_t n = s[i] < 0x80 ? 1 : json_utf8_length(bytes + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

static void
json_escape(struct buf *to, unsigned char c)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: the character, its letter */
    static const char digits[] = "0123456789abcdef";
    for (const char *p = named; *p != '\0'; p += 2) {
        if ((unsigned char)*p == c) {
            buf_append(to, (char[]){ '\\', p[1] }, 2);
            return;
        }
    }
    buf_append(to, (char[]){ '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] }, 6);
}

/* Bytes from s on that stand for themselves and are one each. */
static size_t
plain_run(const unsigned char *s, size_t len)
{
    size_t n = 0;
    while (n < len && s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
        n++;
    return n;
}

void
json_string(struct buf *to, const char *bytes, size_t len)
{
    const unsigned char *s = (const unsigned char *)bytes;
    buf_append(to, "\"", 1);
    for (size_t i = 0; i < len;) {
        size_t n = plain_run(s + i, len - i);
        if (n == 0 && s[i] >= 0x80)
            n = json_utf8_length(bytes + i, len - i);
        if (n > 0)
            buf_append(to, s + i, n);
        else
            json_escape(to, s[i]);
        i += n > 0 ? n : 1;
    }
    buf_append(to, "\"", 1);
}

/* With as few digits as give the same number back. */
void
json_number(struct buf *to, double number)
{
    char text[40];
    int digits = 15;
    if (!isfinite(number)) {
        buf_append_str(to, isnan(number) ? "\"nan\"" : number > 0 ? "\"inf\"" : "\"-inf\"");
        return;
    }
    do {
        snprintf(text, sizeof text, "%.*g", digits, number);
    } while (strtod(text, NULL) != number && ++digits <= 17);
    buf_append_str(to, text);
}
