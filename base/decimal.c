/* decimal.c - integers as decimal text (see decimal.h).
 *
 * Only one text stands for each number, so whoever reads one and writes it again has the same bytes; that is what lets a
 * string be kept as an integer.
 */
#include "base/decimal.h"

#include "base/apart.h"

APART bool
decimal_read_short(const char *bytes, size_t n, int64_t *number)
{
    bool negative = n > 0 && bytes[0] == '-';
    size_t i = negative;
    uint64_t v = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    if (n == 1 && bytes[0] == '0') {
        *number = 0;
        return true;
    }
    if (i >= n || bytes[i] < '1' || bytes[i] > '9')
        return false;
    for (; i < n; i++) {
        unsigned digit = (unsigned)bytes[i] - '0';
        if (digit > 9 || v > (limit - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *number = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

size_t
decimal_write(int64_t number, char digits[DECIMAL_DIGITS])
{
    char reversed[DECIMAL_DIGITS];
    uint64_t v = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t k = 0, n = 0;
    do {
        reversed[k++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    if (number < 0)
        digits[n++] = '-';
    while (k)
        digits[n++] = reversed[--k];
    return n;
}
