/* The message authentication codes of adverts: HMAC (RFC 2104) with MD5 (RFC 1321) and with SHA-256 (RFC 6234). No state, no
 * allocation; keys may have any length. */
#ifndef CDIGEST_H
#define CDIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CDIGEST_MD5_OCTETS 16
#define CDIGEST_SHA256_OCTETS 32

void cdigest_hmac_md5(
    const uint8_t *key, size_t key_length, const uint8_t *message, size_t length, uint8_t *code);

void cdigest_hmac_sha256(
    const uint8_t *key, size_t key_length, const uint8_t *message, size_t length, uint8_t *code);

/* In a time that does not depend on where they differ. */
bool cdigest_is_equal(const uint8_t *one, const uint8_t *other, size_t length);

#endif
