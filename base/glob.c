/* glob.c - matching without recursion: where the text fails to match, the last star takes one character more. */
#include "base/glob.h"

/* Does the class that begins at p[0] == '[' hold c? *used gets the bytes of the class. */
static bool
in_class(const char *p, size_t plen, unsigned char c, size_t *used)
{
    size_t i = 1;
    bool negated = i < plen && p[i] == '^', hit = false;
    i += negated;
    for (; i < plen && p[i] != ']'; i++) {
        if (p[i] == '\\' && i + 1 < plen)
            hit |= (unsigned char)p[++i] == c;
        else if (i + 2 < plen && p[i + 1] == '-') {
            unsigned char a = (unsigned char)p[i], b = (unsigned char)p[i + 2];
            hit |= a <= b ? c >= a && c <= b : c >= b && c <= a;
            i += 2;
        } else
            hit |= (unsigned char)p[i] == c;
    }
    *used = i < plen ? i + 1 : plen; /* a class that is not closed ends with the pattern */
    return hit != negated;
}

/* Does the pattern's next element, which is no star, match c? */
static bool
match_one(const char *p, size_t plen, unsigned char c, size_t *used)
{
    *used = 1;
    if (p[0] == '?')
        return true;
    if (p[0] == '[')
        return in_class(p, plen, c, used);
    if (p[0] == '\\' && plen > 1) {
        *used = 2;
        return (unsigned char)p[1] == c;
    }
    return (unsigned char)p[0] == c;
}

bool
glob_match(const char *pattern, size_t plen, const char *text, size_t len)
{
    size_t p = 0, t = 0, used, star = (size_t)-1, star_text = 0;
    while (t < len) {
        if (p < plen && pattern[p] == '*') {
            star = ++p;
            star_text = t;
        } else if (p < plen && match_one(pattern + p, plen - p, (unsigned char)text[t], &used)) {
            p += used;
            t++;
        } else if (star != (size_t)-1) {
            p = star;
            t = ++star_text;
        } else
            return false;
    }
    while (p < plen && pattern[p] == '*')
        p++;
    return p == plen;
}
