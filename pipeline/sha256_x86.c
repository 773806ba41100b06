/*
 * SHA-256 with the SHA extensions of x86 processors: two rounds an instruction.
 */
#include "pipeline/sha256.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>

#define SHA __attribute__((target("sha,sse4.1,ssse3")))

/* The state as the instructions hold it: words a, b, e, f and c, d, g, h. */
struct halves {
    __m128i abef, cdgh;
};

SHA static struct halves halves_of(const uint32_t state[8]) {
    __m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
    __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    return (struct halves){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

SHA static void halves_store(struct halves h, uint32_t state[8]) {
    __m128i feba = _mm_shuffle_epi32(h.abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(h.cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Four rounds with four words of the message schedule. */
SHA static inline void four_rounds(struct halves *h, __m128i words, int round) {
    __m128i constants = _mm_loadu_si128((const __m128i *)(const void *)(sha256_constants + round));
    __m128i sum = _mm_add_epi32(words, constants);
    h->cdgh = _mm_sha256rnds2_epu32(h->cdgh, h->abef, sum);
    h->abef = _mm_sha256rnds2_epu32(h->abef, h->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

/* The four words of the schedule behind the sixteen in w, which it takes the place of the first of.
 */
SHA static inline __m128i next_words(const __m128i w[4], int first) {
    __m128i w0 = w[first], w1 = w[(first + 1) & 3], w2 = w[(first + 2) & 3],
            w3 = w[(first + 3) & 3];
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
    return _mm_sha256msg2_epu32(sum, w3);
}

SHA static void blocks_x86(uint32_t state[8], const unsigned char *data, size_t count) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    struct halves h = halves_of(state);
    for (; count > 0; count--, data += 64) {
        struct halves before = h;
        __m128i w[4];
        for (int i = 0; i < 4; i++) {
            __m128i raw = _mm_loadu_si128((const __m128i *)(const void *)(data + (size_t)i * 16));
            w[i] = _mm_shuffle_epi8(raw, swap);
            four_rounds(&h, w[i], 4 * i);
        }
        for (int i = 4; i < 16; i++) {
            w[i & 3] = next_words(w, i & 3);
            four_rounds(&h, w[i & 3], 4 * i);
        }
        h.abef = _mm_add_epi32(h.abef, before.abef);
        h.cdgh = _mm_add_epi32(h.cdgh, before.cdgh);
    }
    halves_store(h, state);
}

sha256_blocks sha256_blocks_x86(void) {
    unsigned a, b, c, d;
    enum { SHA_BIT = 1 << 29, SSSE3_BIT = 1 << 9, SSE4_1_BIT = 1 << 19 };
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & SSSE3_BIT) == 0 || (c & SSE4_1_BIT) == 0) {
        return NULL;
    }
    bool sha = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & SHA_BIT) != 0;
    return sha ? blocks_x86 : NULL;
}

#else

sha256_blocks sha256_blocks_x86(void) {
    return NULL;
}

#endif
