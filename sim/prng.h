/*
 * Random numbers of the simulator: one stream per purpose, identical everywhere.
 *
 * The generator is xoshiro256** 1.0 (D. Blackman and S. Vigna, "Scrambled linear pseudorandom
 * number generators", ACM TOMS 47(4), 2021). Its 256 bits of state are two XXH3-128 hashes of the
 * seed and the stream's name, so that every purpose (workload, faults, latency, scheduling) draws
 * from a stream of its own and adding a draw to one leaves the others as they were. No two names
 * share a stream, and a name never shares one with another seed.
 *
 * Everything here is integer arithmetic or tables of integers: no libm, no floating point. The
 * same draws come out on every compiler, optimisation level and architecture (D3). The known
 * answers of tests/sim/test_prng.c hold that down; changing a draw changes every trace.
 */
#ifndef MURPHY_SIM_PRNG_H
#define MURPHY_SIM_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Caller-owned, holds no resources, may be copied: the copy repeats the stream from that point. */
struct prng {
    uint64_t s[4];
};

/* Starts the stream NAME (any non-empty text; bytes count, not locale) of the run's SEED. */
void prng_init(struct prng *p, uint64_t seed, const char *name);

/* 64 random bits. */
static inline uint64_t prng_next(struct prng *p) {
    uint64_t *s = p->s;
    uint64_t scrambled = s[1] * 5;
    scrambled = ((scrambled << 7) | (scrambled >> 57)) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return scrambled;
}

/*
 * Uniform in [0, n), n > 0, without bias (D. Lemire, "Fast random integer generation in an
 * interval", ACM TOMACS 29(1), 2019).
 */
uint64_t prng_below(struct prng *p, uint64_t n);

/* Uniform in [lo, hi], both ends included, lo <= hi; the full range of int64_t is allowed. */
int64_t prng_range(struct prng *p, int64_t lo, int64_t hi);

/*
 * True with probability num / den, den > 0, num <= den. It draws even where the answer is certain,
 * so setting a probability to 0 does not shift the draws that follow.
 */
bool prng_ratio(struct prng *p, uint64_t num, uint64_t den);

/* Puts COUNT elements of SIZE bytes at BASE into a random order, each order equally likely. */
void prng_shuffle(struct prng *p, void *base, size_t count, size_t size);

/*
 * An index in [0, count) with probability weights[i] / sum. The sum must be above zero and fit in
 * 64 bits. Linear in count: for mixes of a few operations; skewed picks among many use a zipf.
 */
size_t prng_weighted(struct prng *p, const uint64_t *weights, size_t count);

/*
 * An exponentially distributed duration with the given mean (>= 0), rounded to the nanosecond and
 * held to INT64_MAX: the gap between arrivals at a constant rate. May be 0; the longest is 45
 * means. Algorithm S of Knuth, TAOCP volume 2, section 3.4.1: exact, by comparisons with a table
 * of the partial sums of exp(ln 2) - 1, no logarithm taken.
 */
int64_t prng_exponential_ns(struct prng *p, int64_t mean_ns);

/*
 * Skewed popularity: rank r (counted from 0, the most popular first) is drawn with probability
 * proportional to 1 / (r + 1)^s, s given in quarters (0: uniform; 4: classic Zipf; 8: s = 2).
 *
 * The first 1,024 ranks are exact. Above them each doubling of the rank is cut into 256 bands
 * within which ranks are equally likely, so that a band's weight is off by less than 1 in 10^5 and
 * the table of a million ranks is 57 KB. Draws take constant time by the alias method (M. Vose,
 * "A linear algorithm for generating random numbers with a given distribution", IEEE TSE 17(9),
 * 1991). Ranks say nothing about identity: shuffle identities and index them by rank.
 */
struct zipf {
    uint64_t n;
    size_t bands;
    struct zipf_band *band; /* owned */
};

#define ZIPF_RANKS_MAX (UINT64_C(1) << 32)
#define ZIPF_QUARTERS_MAX 8

/*
 * 1 <= n <= ZIPF_RANKS_MAX, exponent_quarters <= ZIPF_QUARTERS_MAX. Returns 0, or -ENOMEM with
 * nothing held; after success the caller releases it.
 */
int zipf_init(struct zipf *z, uint64_t n, unsigned exponent_quarters);
void zipf_release(struct zipf *z);

/* A rank in [0, n). */
uint64_t zipf_pick(const struct zipf *z, struct prng *p);

/*
 * A latency with a long tail, given by three quantiles: lognormal through the median and the 99th
 * percentile, cut off at the maximum. Knots lie an eighth of the way from p50 to p99 apart on the
 * normal scale, out to twice p99's distance on both sides; between knots the quantile function is
 * linear in the probability. It is monotone, its median is p50_ns and its 99th percentile p99_ns.
 * Past the last knot (16 in 10 million draws) it runs straight up to max_ns.
 */
#define LATENCY_KNOTS 18

struct latency_model {
    int64_t p50_ns;
    int64_t p99_ns;
    int64_t max_ns;
    /* Values at the knots from the median outwards; the last one is at probability 0 or 1. */
    int64_t upper_ns[LATENCY_KNOTS];
    int64_t lower_ns[LATENCY_KNOTS];
};

/*
 * Returns 0, or -EINVAL unless 0 <= p50_ns <= p99_ns <= max_ns. All three equal is a constant.
 * The model holds no resources and may be copied.
 */
int latency_model_init(struct latency_model *m, int64_t p50_ns, int64_t p99_ns, int64_t max_ns);

/* The latency below which a share of q / 2^64 of all draws lie. */
int64_t latency_model_quantile_ns(const struct latency_model *m, uint64_t q);

/* One latency, in [0, max_ns]; takes exactly one draw from the stream. */
int64_t latency_model_draw_ns(const struct latency_model *m, struct prng *p);

#endif
