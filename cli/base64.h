/* base64.h - bytes as text of 64 characters, as RFC 4648 has it. */
#ifndef KVSTASH_CLI_BASE64_H
#define KVSTASH_CLI_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

void base64_encode(struct buf *to, const char *bytes, size_t n);
/* How many bytes so much text stands for, if it is base64. */
size_t base64_length(const char *text, size_t n);
/* False: it is no base64, or memory is short. Without line ends; padding as encoded. */
bool base64_decode(const char *text, size_t n, struct buf *to);

#endif
