#include "cdigest.h"

#include <string.h>

#define BLOCK 64

/* Both digests read blocks of 64 octets into 32-bit words, and end with the length in bits. */
struct digest {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[BLOCK];
};

/* What differs: the size of the digest, the order of octets in a word, and what a block does to the state. */
struct kind {
    size_t octets;
    bool is_big_endian;
    uint32_t initial[8];
    void (*mix)(uint32_t *state, const uint32_t *words);
};

/* MARK: MD5 */

static uint32_t left(uint32_t value, int count) { return value << count | value >> (32 - count); }

static const uint32_t md5_sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

static void md5_mix(uint32_t *state, const uint32_t *words) {
    static const uint8_t turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (int i = 0; i < 64; i++) {
        uint32_t value;
        int word;
        switch (i / 16) {
        case 0: value = (b & c) | (~b & d), word = i; break;
        case 1: value = (d & b) | (~d & c), word = (5 * i + 1) % 16; break;
        case 2: value = b ^ c ^ d, word = (3 * i + 5) % 16; break;
        default: value = c ^ (b | ~d), word = 7 * i % 16; break;
        }
        uint32_t sum = a + value + md5_sines[i] + words[word];
        a = d, d = c, c = b;
        b += left(sum, turns[i / 16][i % 4]);
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

static const struct kind md5 = {
    .octets = CDIGEST_MD5_OCTETS,
    .is_big_endian = false,
    .initial = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476},
    .mix = md5_mix,
};

/* MARK: SHA-256 */

static uint32_t right(uint32_t value, int count) { return value >> count | value << (32 - count); }

static const uint32_t sha256_roots[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static void sha256_mix(uint32_t *state, const uint32_t *words) {
    uint32_t w[64], s[8];
    memcpy(w, words, 16 * sizeof *w);
    for (int i = 16; i < 64; i++) {
        uint32_t small = right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t large = right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + small + w[i - 7] + large;
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t first = s[7] + (right(s[4], 6) ^ right(s[4], 11) ^ right(s[4], 25)) + choice + sha256_roots[i] + w[i];
        uint32_t second = (right(s[0], 2) ^ right(s[0], 13) ^ right(s[0], 22)) + majority;
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += first;
        s[0] = first + second;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

static const struct kind sha256 = {
    .octets = CDIGEST_SHA256_OCTETS,
    .is_big_endian = true,
    .initial =
        {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
    .mix = sha256_mix,
};

/* MARK: Both */

static int shift(const struct kind *kind, size_t octet) { return 8 * (int)(kind->is_big_endian ? 3 - octet : octet); }

static void begin(const struct kind *kind, struct digest *digest) {
    memcpy(digest->state, kind->initial, sizeof digest->state);
    digest->length = 0;
}

static void mix(const struct kind *kind, struct digest *digest) {
    uint32_t words[16] = {0};
    for (size_t i = 0; i < BLOCK; i++) words[i / 4] |= (uint32_t)digest->block[i] << shift(kind, i % 4);
    kind->mix(digest->state, words);
}

static void add(const struct kind *kind, struct digest *digest, const uint8_t *octets, size_t length) {
    for (size_t i = 0; i < length; i++) {
        digest->block[digest->length++ % BLOCK] = octets[i];
        if (digest->length % BLOCK == 0) mix(kind, digest);
    }
}

static void end(const struct kind *kind, struct digest *digest, uint8_t *code) {
    uint64_t bits = digest->length * 8;
    uint8_t octet = 0x80;
    do add(kind, digest, &octet, 1), octet = 0;
    while (digest->length % BLOCK != BLOCK - 8);
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> 8 * (kind->is_big_endian ? 7 - i : i));
    add(kind, digest, length, sizeof length);
    for (size_t i = 0; i < kind->octets; i++) code[i] = (uint8_t)(digest->state[i / 4] >> shift(kind, i % 4));
}

static void hmac(
    const struct kind *kind, const uint8_t *key, size_t key_length, const uint8_t *message, size_t length,
    uint8_t *code) {
    struct digest digest;
    uint8_t inner[BLOCK] = {0}, outer[BLOCK];
    if (key_length > BLOCK) {
        begin(kind, &digest);
        add(kind, &digest, key, key_length);
        end(kind, &digest, inner);
    } else {
        memcpy(inner, key, key_length);
    }
    for (size_t i = 0; i < BLOCK; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    begin(kind, &digest);
    add(kind, &digest, inner, BLOCK);
    add(kind, &digest, message, length);
    end(kind, &digest, code);
    begin(kind, &digest);
    add(kind, &digest, outer, BLOCK);
    add(kind, &digest, code, kind->octets);
    end(kind, &digest, code);
}

void cdigest_hmac_md5(
    const uint8_t *key, size_t key_length, const uint8_t *message, size_t length, uint8_t *code) {
    hmac(&md5, key, key_length, message, length, code);
}

void cdigest_hmac_sha256(
    const uint8_t *key, size_t key_length, const uint8_t *message, size_t length, uint8_t *code) {
    hmac(&sha256, key, key_length, message, length, code);
}

bool cdigest_is_equal(const uint8_t *one, const uint8_t *other, size_t length) {
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < length; i++) difference |= one[i] ^ other[i];
    return difference == 0;
}
