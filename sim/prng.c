#include "sim/prng.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

__extension__ typedef unsigned __int128 u128;

static void store_le64(unsigned char out[8], uint64_t value) {
    for (int i = 0; i < 8; i++) {
        out[i] = (unsigned char)(value >> (8 * i));
    }
}

/*
 * Half of a stream's first state. The name is hashed first, so that seed, half and name always take
 * the same places among the bytes and no pair of (seed, name) can stand for another.
 */
static XXH128_hash_t stream_hash(uint64_t seed, unsigned char half, const char *name) {
    XXH128_hash_t name_hash = XXH3_128bits(name, strlen(name));
    unsigned char bytes[25];
    store_le64(bytes, seed);
    store_le64(bytes + 8, name_hash.low64);
    store_le64(bytes + 16, name_hash.high64);
    bytes[24] = half;
    return XXH3_128bits(bytes, sizeof bytes);
}

void prng_init(struct prng *p, uint64_t seed, const char *name) {
    assert(name != NULL && name[0] != '\0');
    XXH128_hash_t first = stream_hash(seed, 0, name);
    XXH128_hash_t second = stream_hash(seed, 1, name);
    p->s[0] = first.low64;
    p->s[1] = first.high64;
    p->s[2] = second.low64;
    p->s[3] = second.high64;
    /* The one state that xoshiro never leaves. */
    if ((p->s[0] | p->s[1] | p->s[2] | p->s[3]) == 0) {
        p->s[0] = 1;
    }
}

uint64_t prng_below(struct prng *p, uint64_t n) {
    assert(n > 0);
    u128 product = (u128)prng_next(p) * n;
    if ((uint64_t)product < n) {
        uint64_t surplus = (0 - n) % n; /* 2^64 mod n: low halves under it are over-represented */
        while ((uint64_t)product < surplus) {
            product = (u128)prng_next(p) * n;
        }
    }
    return (uint64_t)(product >> 64);
}

int64_t prng_range(struct prng *p, int64_t lo, int64_t hi) {
    assert(lo <= hi);
    uint64_t span = (uint64_t)hi - (uint64_t)lo;
    uint64_t offset = span == UINT64_MAX ? prng_next(p) : prng_below(p, span + 1);
    return (int64_t)((uint64_t)lo + offset);
}

bool prng_ratio(struct prng *p, uint64_t num, uint64_t den) {
    assert(den > 0 && num <= den);
    return prng_below(p, den) < num;
}

static void swap_bytes(unsigned char *a, unsigned char *b, size_t size) {
    unsigned char piece[64];
    while (size > 0) {
        size_t n = size < sizeof piece ? size : sizeof piece;
        memcpy(piece, a, n);
        memcpy(a, b, n);
        memcpy(b, piece, n);
        a += n;
        b += n;
        size -= n;
    }
}

void prng_shuffle(struct prng *p, void *base, size_t count, size_t size) {
    unsigned char *bytes = base;
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)prng_below(p, i);
        if (j != i - 1) {
            swap_bytes(bytes + (i - 1) * size, bytes + j * size, size);
        }
    }
}

size_t prng_weighted(struct prng *p, const uint64_t *weights, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        assert(weights[i] <= UINT64_MAX - sum);
        sum += weights[i];
    }
    uint64_t left = prng_below(p, sum);
    size_t i = 0;
    while (left >= weights[i]) {
        left -= weights[i];
        i++;
    }
    return i;
}

/* Sums of ln(2)^i / i! for i = 1, 2, ..., as fractions of 2^64, rounded down. */
static const uint64_t exponential_sums[] = {
    UINT64_C(0xb17217f7d1cf79ab), UINT64_C(0xeef193f6d75a96fc), UINT64_C(0xfd27186259aaf6c2),
    UINT64_C(0xff9d6dd050f4c5a7), UINT64_C(0xfff4cfcfef1e626b), UINT64_C(0xfffee81886e1c62f),
    UINT64_C(0xffffe7fe850e0bb5), UINT64_C(0xfffffe2a8731b17d), UINT64_C(0xffffffdfac6eeadc),
    UINT64_C(0xfffffffdf9640067), UINT64_C(0xffffffffe22ec79c), UINT64_C(0xfffffffffe6a9ded),
    UINT64_C(0xffffffffffebff81), UINT64_C(0xffffffffffff1417), UINT64_C(0xfffffffffffff5ce),
    UINT64_C(0xffffffffffffff95), UINT64_C(0xfffffffffffffffb), UINT64_C(0xffffffffffffffff),
};

#define EXPONENTIAL_SUMS (sizeof exponential_sums / sizeof exponential_sums[0])
#define EXPONENTIAL_FRACTION_BITS 57

/* Leading one bits of a draw: how many whole ln 2 the result holds; each has probability 1/2. */
static uint64_t count_heads(uint64_t bits) {
    return bits == UINT64_MAX ? 64 : (uint64_t)__builtin_clzll(~bits);
}

/* A unit exponential with 57 fractional bits; below 2^63, since 65 ln 2 is below 2^6. */
static uint64_t unit_exponential(struct prng *p) {
    const uint64_t ln2 = exponential_sums[0];
    uint64_t heads = count_heads(prng_next(p));
    uint64_t u = prng_next(p);
    if (u < ln2) {
        return ((heads * (ln2 >> 7)) + (u >> 7));
    }
    uint64_t smallest = UINT64_MAX;
    for (size_t k = 0; k < EXPONENTIAL_SUMS && (k == 0 || u >= exponential_sums[k - 1]); k++) {
        uint64_t v = prng_next(p);
        smallest = v < smallest ? v : smallest;
    }
    u128 halvings = ((u128)heads << 64) + smallest;
    return (uint64_t)((halvings >> 7) * ln2 >> 64);
}

int64_t prng_exponential_ns(struct prng *p, int64_t mean_ns) {
    assert(mean_ns >= 0);
    u128 scaled = (u128)unit_exponential(p) * (uint64_t)mean_ns;
    u128 half = (u128)1 << (EXPONENTIAL_FRACTION_BITS - 1);
    u128 rounded = (scaled + half) >> EXPONENTIAL_FRACTION_BITS;
    return rounded > INT64_MAX ? INT64_MAX : (int64_t)rounded;
}

/* The greatest integer whose square is at most x. */
static uint64_t square_root(u128 x) {
    u128 root = 0;
    u128 bit = (u128)1 << 126;
    while (bit > x) {
        bit >>= 2;
    }
    while (bit != 0) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    return (uint64_t)root;
}

#define ZIPF_EXACT UINT64_C(1024)
#define ZIPF_OCTAVE_BANDS UINT64_C(256)
#define ZIPF_EXACT_BITS 10
#define ZIPF_POWER_BITS 24  /* fractional bits of a power */
#define ZIPF_WEIGHT_BITS 30 /* the weight of rank 1 is 2^30 */

/* Column i of the alias table: itself where a 64-bit draw is below keep, else alias. */
struct zipf_band {
    uint64_t keep;
    uint32_t alias;
};

/* First rank of a band, counted from 1, and how many ranks it has before it is cut at n. */
static uint64_t band_first(size_t band, uint64_t *width) {
    if (band < ZIPF_EXACT) {
        *width = 1;
        return band + 1;
    }
    uint64_t above = band - ZIPF_EXACT;
    unsigned octave = (unsigned)(above / ZIPF_OCTAVE_BANDS);
    *width = (ZIPF_EXACT / ZIPF_OCTAVE_BANDS) << octave;
    return (ZIPF_EXACT << octave) + above % ZIPF_OCTAVE_BANDS * *width + 1;
}

static uint64_t band_width(size_t band, uint64_t n, uint64_t *first) {
    uint64_t width;
    *first = band_first(band, &width);
    uint64_t left = n - *first + 1;
    return width < left ? width : left;
}

static size_t band_count(uint64_t n) {
    if (n <= ZIPF_EXACT) {
        return (size_t)n;
    }
    uint64_t last = n - 1;
    unsigned octave = (63u - (unsigned)__builtin_clzll(last)) - ZIPF_EXACT_BITS;
    uint64_t width = (ZIPF_EXACT / ZIPF_OCTAVE_BANDS) << octave;
    uint64_t in_octave = (last - (ZIPF_EXACT << octave)) / width;
    return (size_t)(ZIPF_EXACT + octave * ZIPF_OCTAVE_BANDS + in_octave + 1);
}

/* rank^(quarters / 4) with ZIPF_POWER_BITS fractional bits; rank <= 2^32, so below 2^89. */
static u128 rank_power(uint64_t rank, unsigned quarters) {
    u128 power = (u128)1 << ZIPF_POWER_BITS;
    uint64_t fourth_root = square_root((u128)square_root((u128)rank << 64) << 64);
    fourth_root >>= 48 - ZIPF_POWER_BITS;
    for (unsigned i = 0; i < quarters / 4; i++) {
        power *= rank;
    }
    switch (quarters % 4) {
    case 1:
        return power * fourth_root >> ZIPF_POWER_BITS;
    case 2:
        return power * square_root((u128)rank << (2 * ZIPF_POWER_BITS)) >> ZIPF_POWER_BITS;
    case 3:
        power = power * square_root((u128)rank << (2 * ZIPF_POWER_BITS)) >> ZIPF_POWER_BITS;
        return power * fourth_root >> ZIPF_POWER_BITS;
    default:
        return power;
    }
}

/* At least 1, so that every rank can be drawn; below 2^62 whatever the exponent. */
static uint64_t band_weight(size_t band, uint64_t n, unsigned quarters) {
    uint64_t first;
    uint64_t width = band_width(band, n, &first);
    u128 power = rank_power(first + (width - 1) / 2, quarters);
    u128 weight = ((u128)width << (ZIPF_POWER_BITS + ZIPF_WEIGHT_BITS)) / power;
    return weight == 0 ? 1 : (uint64_t)weight;
}

/*
 * Vose's construction. Each column has room for TOTAL; a band has weight * columns of it to place.
 * Bands with less than a column's worth wait in one end of the work list, the others in the other
 * end; each small one is filled up by a large one, which then has less left. TOTAL is below 2^63.
 */
static void fill_columns(struct zipf *z, u128 *share, uint32_t *list, u128 total) {
    size_t small_end = 0;
    size_t large_begin = z->bands;
    for (size_t i = 0; i < z->bands; i++) {
        if (share[i] < total) {
            list[small_end++] = (uint32_t)i;
        } else {
            list[--large_begin] = (uint32_t)i;
        }
    }
    size_t small = small_end;
    size_t large = large_begin;
    while (small > 0 && large < z->bands) {
        uint32_t under = list[--small];
        uint32_t over = list[large];
        z->band[under].keep = (uint64_t)((share[under] << 64) / total);
        z->band[under].alias = over;
        share[over] -= total - share[under];
        if (share[over] < total) {
            large++;
            list[small++] = over;
        }
    }
    while (small > 0) {
        uint32_t full = list[--small];
        z->band[full] = (struct zipf_band){UINT64_MAX, full};
    }
    for (; large < z->bands; large++) {
        z->band[list[large]] = (struct zipf_band){UINT64_MAX, list[large]};
    }
}

/* Weighs the bands into SHARE, scaled by their number; returns the sum of the unscaled weights. */
static u128 weigh_bands(const struct zipf *z, unsigned quarters, u128 *share) {
    u128 total = 0;
    for (size_t i = 0; i < z->bands; i++) {
        uint64_t weight = band_weight(i, z->n, quarters);
        total += weight;
        share[i] = (u128)weight * z->bands;
    }
    return total;
}

int zipf_init(struct zipf *z, uint64_t n, unsigned exponent_quarters) {
    assert(n >= 1 && n <= ZIPF_RANKS_MAX && exponent_quarters <= ZIPF_QUARTERS_MAX);
    z->n = n;
    z->bands = band_count(n);
    z->band = calloc(z->bands, sizeof *z->band);
    u128 *share = calloc(z->bands, sizeof *share);
    uint32_t *list = calloc(z->bands, sizeof *list);
    int status = z->band == NULL || share == NULL || list == NULL ? -ENOMEM : 0;
    if (status == 0) {
        u128 total = weigh_bands(z, exponent_quarters, share);
        fill_columns(z, share, list, total);
    } else {
        zipf_release(z);
    }
    free(list);
    free(share);
    return status;
}

void zipf_release(struct zipf *z) {
    free(z->band);
    *z = (struct zipf){0};
}

uint64_t zipf_pick(const struct zipf *z, struct prng *p) {
    size_t column = (size_t)prng_below(p, z->bands);
    const struct zipf_band *b = &z->band[column];
    size_t band = prng_next(p) < b->keep ? column : b->alias;
    uint64_t first;
    uint64_t width = band_width(band, z->n, &first);
    return first - 1 + (width == 1 ? 0 : prng_below(p, width));
}

/*
 * Share of a normal distribution above z = k / 8 times its 99th percentile, as a fraction of 2^64,
 * rounded to nearest. Entry 8 is one in a hundred; the last entry stands for the end.
 */
static const uint64_t normal_tails[LATENCY_KNOTS] = {
    UINT64_C(0x8000000000000000), UINT64_C(0x62b6fc3e33f09378), UINT64_C(0x47c9c43496384822),
    UINT64_C(0x31062c156b08861e), UINT64_C(0x1f5442ca8ae05ee1), UINT64_C(0x12aeaa1f45a53205),
    UINT64_C(0x0a5f13846ed0d4b1), UINT64_C(0x05598ae473cf1abd), UINT64_C(0x028f5c28f5c28f5c),
    UINT64_C(0x01228d7649454ad8), UINT64_C(0x007737c7c7f1eae7), UINT64_C(0x002d3b3ae602cf77),
    UINT64_C(0x000fdb20589dd9fa), UINT64_C(0x000521e81ba24110), UINT64_C(0x00018880871f9ca3),
    UINT64_C(0x00006c28e55db32d), UINT64_C(0x00001b7ba91eb8bc), 0,
};

#define LATENCY_P99_KNOT 8

static int64_t geometric_mean(int64_t a, int64_t b) {
    return (int64_t)square_root((u128)(uint64_t)a * (uint64_t)b);
}

/* a * b / c, held to LIMIT. */
static int64_t scaled_up_to(int64_t a, int64_t b, int64_t c, int64_t limit) {
    u128 value = (u128)(uint64_t)a * (uint64_t)b / (uint64_t)c;
    return value > (uint64_t)limit ? limit : (int64_t)value;
}

int latency_model_init(struct latency_model *m, int64_t p50_ns, int64_t p99_ns, int64_t max_ns) {
    if (p50_ns < 0 || p99_ns < p50_ns || max_ns < p99_ns) {
        return -EINVAL;
    }
    *m = (struct latency_model){.p50_ns = p50_ns, .p99_ns = p99_ns, .max_ns = max_ns};
    /* Ratios need a median above zero; nobody can tell 1 ns from none, and MAX still cuts it. */
    int64_t median = p50_ns > 0 ? p50_ns : 1;
    int64_t *up = m->upper_ns;
    up[0] = median;
    up[LATENCY_P99_KNOT] = p99_ns > median ? p99_ns : median;
    for (int step = LATENCY_P99_KNOT / 2; step > 0; step /= 2) {
        for (int k = step; k < LATENCY_P99_KNOT; k += 2 * step) {
            up[k] = geometric_mean(up[k - step], up[k + step]);
        }
    }
    for (int k = LATENCY_P99_KNOT + 1; k < LATENCY_KNOTS - 1; k++) {
        up[k] = scaled_up_to(up[k - LATENCY_P99_KNOT], up[LATENCY_P99_KNOT], median, INT64_MAX);
    }
    up[LATENCY_KNOTS - 1] = max_ns;
    for (int k = 0; k < LATENCY_KNOTS; k++) {
        int outermost = LATENCY_KNOTS - 2;
        int64_t mirror = up[k < outermost ? k : outermost];
        m->lower_ns[k] = scaled_up_to(median, median, mirror, max_ns);
    }
    for (int k = 0; k < LATENCY_KNOTS; k++) {
        int64_t limit = k <= LATENCY_P99_KNOT ? p99_ns : max_ns;
        up[k] = up[k] > limit ? limit : up[k];
    }
    if (p50_ns == 0) {
        up[0] = 0;
        memset(m->lower_ns, 0, sizeof m->lower_ns);
    }
    return 0;
}

int64_t latency_model_quantile_ns(const struct latency_model *m, uint64_t q) {
    bool upper = q >> 63 != 0;
    const int64_t *value = upper ? m->upper_ns : m->lower_ns;
    uint64_t tail = upper ? ~q : q; /* at most 2^63 - 1, so the search ends before the last knot */
    int k = 0;
    while (normal_tails[k + 1] > tail) {
        k++;
    }
    uint64_t way = normal_tails[k] - tail;
    uint64_t whole = normal_tails[k] - normal_tails[k + 1];
    int64_t rise = value[k + 1] - value[k]; /* negative below the median */
    u128 part = (u128)(uint64_t)(rise < 0 ? -rise : rise) * way / whole;
    return rise < 0 ? value[k] - (int64_t)part : value[k] + (int64_t)part;
}

int64_t latency_model_draw_ns(const struct latency_model *m, struct prng *p) {
    return latency_model_quantile_ns(m, prng_next(p));
}
