/* base64.c - bytes as text of 64 characters (see base64.h). */
#include "cli/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct buf *to, const char *bytes, size_t n)
{
    const unsigned char *s = (const unsigned char *)bytes;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = (uint32_t)s[i] << 16 | (i + 1 < n ? (uint32_t)s[i + 1] << 8 : 0) | (i + 2 < n ? s[i + 2] : 0);
        char four[4] = { digits[three >> 18], digits[three >> 12 & 63], i + 1 < n ? digits[three >> 6 & 63] : '=',
                         i + 2 < n ? digits[three & 63] : '=' };
        buf_append(to, four, sizeof four);
    }
}

/* The value of a digit; -1: it is none. */
static int
value_of(char c)
{
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

bool
base64_decode(const char *text, size_t n, struct buf *to)
{
    if (n % 4 != 0)
        return false;
    for (size_t i = 0; i < n; i += 4) {
        size_t pads = i + 4 < n ? 0 : (size_t)(text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=');
        uint32_t three = 0;
        for (size_t k = 0; k < 4; k++) {
            int v = k >= 4 - pads ? 0 : value_of(text[i + k]);
            if (v < 0)
                return false;
            three = three << 6 | (uint32_t)v;
        }
        char out[3] = { (char)(three >> 16), (char)(three >> 8), (char)three };
        if ((pads == 1 && out[2] != 0) || (pads == 2 && (out[1] != 0 || out[2] != 0)))
            return false; /* bits that an encoder never leaves */
        buf_append(to, out, 3 - pads);
    }
    return !buf_failed(to);
}
