/* base64.c - bytes as text of 64 characters (see base64.h). */
#include "cli/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct buf *to, const char *bytes, size_t n)
{
    const unsigned char *s = (const unsigned char *)bytes;
    if (!buf_reserve(to, (n + 2) / 3 * 4))
        return;
    char *four = to->data + to->len;
    for (size_t i = 0; i < n; i += 3, four += 4) {
        uint32_t three = (uint32_t)s[i] << 16 | (i + 1 < n ? (uint32_t)s[i + 1] << 8 : 0) | (i + 2 < n ? s[i + 2] : 0);
        four[0] = digits[three >> 18];
        four[1] = digits[three >> 12 & 63];
        four[2] = i + 1 < n ? digits[three >> 6 & 63] : '=';
        four[3] = i + 2 < n ? digits[three & 63] : '=';
    }
    to->len = (size_t)(four - to->data);
}

/* The value of a digit; -1: it is none. */
static inline int
value_of(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t
base64_length(const char *text, size_t n)
{
    return n < 4 ? 0 : n / 4 * 3 - (text[n - 1] == '=') - (text[n - 1] == '=' && text[n - 2] == '=');
}

bool
base64_decode(const char *text, size_t n, struct buf *to)
{
    size_t length = base64_length(text, n);
    if (n % 4 != 0 || !buf_reserve(to, n / 4 * 3))
        return false;
    char *out = to->data + to->len;
    for (size_t i = 0; i < n; i += 4, out += 3) {
        size_t pads = i + 4 < n ? 0 : n / 4 * 3 - length;
        uint32_t three = 0;
        for (size_t k = 0; k < 4; k++) {
            int v = k >= 4 - pads ? 0 : value_of(text[i + k]);
            if (v < 0)
                return false;
            three = three << 6 | (uint32_t)v;
        }
        out[0] = (char)(three >> 16);
        out[1] = (char)(three >> 8);
        out[2] = (char)three;
        if ((pads == 1 && out[2] != 0) || (pads == 2 && (out[1] != 0 || out[2] != 0)))
            return false; /* bits that an encoder never leaves */
    }
    to->len += length;
    return true;
}
