/* tiny_conv: int8 network 4x6x1 -> 4x6x1, made by ongen 0.1.0. */
#include "tiny_conv.h"

#include "on_bytes.h"
#include "on_fixed.h"
#include "on_pairs.h"

/* rows_pairs: 4x6x1 -> 2x3x2 */
/* The last rows of the maps between the stages, as int16 less their zero points, and how many rows
 * were made so far. */
typedef struct {
    const int8_t *in;
    int8_t *out; /* the row of the output that is made now */
    int32_t n00_rows;
    on_half_t n00_in[24] ON_ALIGNED; /* [1][3][8] */
    int32_t n01_rows;
    on_half_t n01_in[24] ON_ALIGNED; /* [2][2][6] */
} __attribute__((aligned(16))) tiny_conv_n00_rows_t;

_Static_assert(sizeof(tiny_conv_n00_rows_t) <= 144, "the arena has room for the rows");

/* Bring a row of the input into the first buffer. */
ON_NOINLINE static void tiny_conv_n00_rows_load(tiny_conv_n00_rows_t *s, int32_t y)
{
    const int8_t *const in = &s->in[y * 6];
    on_half_t *const row = &s->n00_in[((int32_t)((uint32_t)y % 3U) * 8) + 1];
    for (int32_t c = 0; c < 1; ++c) {
        on_half_t *out = &row[(c) * 24];
        const int8_t *from = &in[c];
        const int8_t *const end = from + 6;
        do {
            out[0] = (on_half_t)(from[0] - 3);
            out[1] = (on_half_t)(from[1] - 3);
            out[2] = (on_half_t)(from[2] - 3);
            from += 3;
            out += 3;
        } while (from != end);
    }
}

static const int32_t tiny_conv_n00_rows_n00_table[26] = {
    -272128, 1482369815, -1044448, 452987776, 65024, 100725632, 1408, 1023418496, 12032,
    452987776, 65024, 100725632, 1408, 17408, 1887552550, -1044416, -2013259264, 42496,
    -1845465856, 41472, 520122880, 57088, -2013259264, 42496, -1845465856, 41472
};

/* One channel of one row: r is the channel's ring, whose rows lie in any order; so do the weights. */
ON_NOINLINE static void tiny_conv_n00_rows_n00_channel(const on_pair_t *r, const int32_t *n, const int32_t *w, on_half_t *out)
{
    const int32_t bias = n[0], multiplier = n[1], addend = n[2];
    const int32_t w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], w4 = w[4], w5 = w[5];
    {
        int32_t sum0, sum1, x0, x1, x2, x3;
        ON_WORD(x0, r, 0);
        ON_WORD(x1, r, 1);
        sum0 = on_dot2(x0, w0, bias);
        sum0 = on_dot2(x1, w1, sum0);
        ON_WORD(x2, r, 4);
        x3 = on_straddle(x0, x1);
        sum1 = on_dot2x(x3, w0, bias);
        sum1 = on_dot2x(x1, w1, sum1);
        ON_WORD(x0, r, 5);
        sum0 = on_dot2(x2, w2, sum0);
        sum0 = on_dot2(x0, w3, sum0);
        x1 = on_straddle(x2, x0);
        sum1 = on_dot2x(x1, w2, sum1);
        ON_WORD(x1, r, 8);
        sum1 = on_dot2x(x0, w3, sum1);
        ON_WORD(x0, r, 9);
        sum0 = on_dot2(x1, w4, sum0);
        sum0 = on_dot2(x0, w5, sum0);
        x2 = on_straddle(x1, x0);
        sum1 = on_dot2x(x2, w4, sum1);
        sum1 = on_dot2x(x0, w5, sum1);
        sum0 = on_add_high(addend, sum0, multiplier);
        ON_WORD(x0, r, 1);
        sum1 = on_add_high(addend, sum1, multiplier);
        ON_WORD(x1, r, 2);
        out[0] = (on_half_t)on_narrow_s8(sum0, 13);
        out[1] = (on_half_t)on_narrow_s8(sum1, 13);
        sum0 = on_dot2(x0, w0, bias);
        sum0 = on_dot2(x1, w1, sum0);
        ON_WORD(x2, r, 5);
        x3 = on_straddle(x0, x1);
        sum1 = on_dot2x(x3, w0, bias);
        sum1 = on_dot2x(x1, w1, sum1);
        ON_WORD(x0, r, 6);
        sum0 = on_dot2(x2, w2, sum0);
        sum0 = on_dot2(x0, w3, sum0);
        x1 = on_straddle(x2, x0);
        sum1 = on_dot2x(x1, w2, sum1);
        ON_WORD(x1, r, 9);
        sum1 = on_dot2x(x0, w3, sum1);
        ON_WORD(x0, r, 10);
        sum0 = on_dot2(x1, w4, sum0);
        sum0 = on_dot2(x0, w5, sum0);
        x2 = on_straddle(x1, x0);
        sum1 = on_dot2x(x2, w4, sum1);
        sum1 = on_dot2x(x0, w5, sum1);
        sum0 = on_add_high(addend, sum0, multiplier);
        ON_WORD(x0, r, 2);
        sum1 = on_add_high(addend, sum1, multiplier);
        ON_WORD(x1, r, 3);
        out[2] = (on_half_t)on_narrow_s8(sum0, 13);
        out[3] = (on_half_t)on_narrow_s8(sum1, 13);
        sum0 = on_dot2(x0, w0, bias);
        sum0 = on_dot2(x1, w1, sum0);
        ON_WORD(x2, r, 6);
        x3 = on_straddle(x0, x1);
        sum1 = on_dot2x(x3, w0, bias);
        sum1 = on_dot2x(x1, w1, sum1);
        ON_WORD(x0, r, 7);
        sum0 = on_dot2(x2, w2, sum0);
        sum0 = on_dot2(x0, w3, sum0);
        x1 = on_straddle(x2, x0);
        sum1 = on_dot2x(x1, w2, sum1);
        ON_WORD(x1, r, 10);
        sum1 = on_dot2x(x0, w3, sum1);
        ON_WORD(x0, r, 11);
        sum0 = on_dot2(x1, w4, sum0);
        sum0 = on_dot2(x0, w5, sum0);
        x2 = on_straddle(x1, x0);
        sum1 = on_dot2x(x2, w4, sum1);
        sum1 = on_dot2x(x0, w5, sum1);
        sum0 = on_add_high(addend, sum0, multiplier);
        sum1 = on_add_high(addend, sum1, multiplier);
        out[4] = (on_half_t)on_narrow_s8(sum0, 13);
        out[5] = (on_half_t)on_narrow_s8(sum1, 13);
    }
}

/* DEPTHWISE_CONV_2D stride 1x1, SAME, RELU: 4x6x1 -> 4x6x2 */
ON_NOINLINE static void tiny_conv_n00_rows_n00(tiny_conv_n00_rows_t *s, int32_t y)
{
    const int32_t first = y - 1;
    while (s->n00_rows < first + 3) {
        const int32_t row = s->n00_rows;
        if (row < 4) {
            tiny_conv_n00_rows_load(s, row);
        } else { /* padding */
            for (int32_t c = 0; c < 1; ++c) {
                on_half_t *const padding = &s->n00_in[((int32_t)((uint32_t)row % 3U) * 8) + (c * 24)];
                for (int32_t x = 0; x < 8; ++x) {
                    padding[x] = 0;
                }
            }
        }
        s->n00_rows++;
    }
    const int32_t *n = &tiny_conv_n00_rows_n00_table[0];
    const int32_t *const w = &n[3 + ((int32_t)((uint32_t)(12 - first) % 3U) * 2)];
    on_half_t *const out = &s->n01_in[((int32_t)((uint32_t)y % 2U) * 6) + 0];
    for (int32_t c = 0; c < 2; ++c) {
        const on_half_t *const r = &s->n00_in[(c / 2) * 24];
        tiny_conv_n00_rows_n00_channel((const on_pair_t *)(const void *)r, n + (c * 13), w + (c * 13), &out[(c) * 12]);
    }
}

/* MAX_POOL_2D 2x2, stride 2x2, VALID, NONE: 4x6x2 -> 2x3x2 */
ON_NOINLINE static void tiny_conv_n00_rows_n01(tiny_conv_n00_rows_t *s, int32_t y)
{
    const int32_t first = (y * 2);
    const int32_t last = on_min(first + 1, 3);
    while (s->n01_rows <= last) {
        tiny_conv_n00_rows_n00(s, s->n01_rows);
        s->n01_rows++;
    }
    int8_t *const row = s->out;
    for (int32_t c = 0; c < 2; ++c) {
        int8_t *out = &row[c];
        const on_half_t *r0 = &s->n01_in[((int32_t)((uint32_t)(first + 0) % 2U) * 6) + (c * 12)];
        const on_half_t *r1 = &s->n01_in[((int32_t)((uint32_t)(first + 1) % 2U) * 6) + (c * 12)];
        const on_half_t *const end = r0 + 6;
        do {
            int32_t largest = r0[0];
            largest = on_max(largest, r0[1]);
            r0 += 2;
            largest = on_max(largest, r1[0]);
            largest = on_max(largest, r1[1]);
            r1 += 2;
            *out = (int8_t)largest;
            out += 2;
        } while (r0 != end);
    }
}

ON_NOINLINE static tiny_conv_n00_rows_t *tiny_conv_n00_rows_begin(const int8_t *x, void *scratch)
{
    tiny_conv_n00_rows_t *const s = scratch;
    on_clear(scratch, (int32_t)sizeof(*s) / 4);
    s->in = x;
    return s;
}

ON_NOINLINE static void tiny_conv_n00_rows(const int8_t *x, int8_t *y, void *scratch)
{
    tiny_conv_n00_rows_t *const s = tiny_conv_n00_rows_begin(x, scratch);
    for (int32_t row = 0; row < 2; ++row) {
        s->out = &y[row * 6];
        tiny_conv_n00_rows_n01(s, row);
    }
}

/* rows_pairs: 2x3x2 -> 4x6x1 */
/* The last rows of the maps between the stages, as int16 less their zero points, and how many rows
 * were made so far. */
typedef struct {
    const int8_t *in;
    int8_t *out; /* the row of the output that is made now */
    int32_t n03_rows;
    on_half_t n03_in[24] ON_ALIGNED; /* [2][1][6][2] */
} __attribute__((aligned(16))) tiny_conv_n03_rows_t;

_Static_assert(sizeof(tiny_conv_n03_rows_t) <= 96, "the arena has room for the rows");

/* Bring a row of the input into the first buffer. */
ON_NOINLINE static void tiny_conv_n03_rows_load(tiny_conv_n03_rows_t *s, int32_t y)
{
    const int8_t *const in = &s->in[y * 6];
    on_half_t *const row = &s->n03_in[((int32_t)((uint32_t)y % 2U) * 12) + 2];
    for (int32_t c = 0; c < 2; ++c) {
        on_half_t *out = &row[(((c) >> 1) * 12) + ((c) & 1)];
        const int8_t *from = &in[c];
        const int8_t *const end = from + 6;
        do {
            out[0] = (on_half_t)(from[0] + 128);
            out[2] = (on_half_t)(from[2] + 128);
            out[4] = (on_half_t)(from[4] + 128);
            from += 6;
            out += 6;
        } while (from != end);
    }
}

static const int32_t tiny_conv_n03_rows_n03_weights[16] = {
    -1834884, 8519990, 1704108, 6291516, -13500130, 20185236, 17826210, -9765050, -7470852,
    -2490264, 7340076, 17301770, -19529294, 9633714, 23855374, 786472
};
/* bias, multiplier, addend of each channel */
static const int32_t tiny_conv_n03_rows_n03_numbers[3] = {
    -2300, 1276457216, 608
};

/* One row of 1 channel, 2 pixels at a time; in0 and out0 are where pixel 0 begins. */
ON_NOINLINE static void tiny_conv_n03_rows_n03_tile(const on_half_t *const *rows, const on_half_t *const *rows_end, int32_t in0, int32_t pixels, const int32_t *weights, const int32_t *n, int8_t *out0)
{
    for (int32_t i = 0; i < pixels; i += 2) {
        const int32_t x = on_min(i, pixels - 2);
        const on_half_t *const *source = rows;
        const int32_t *w = weights;
        int32_t sum0 = n[0];
        int32_t sum1 = sum0;
        do {
            const on_pair_t *in = (const on_pair_t *)(const void *)*source + in0 + x;
            int32_t w0, w1, x0, x1;
            ON_NEXTS(w0, w1, w);
            ON_WORD(x0, in, 0);
            ON_WORD(x1, in, 1);
            sum0 = on_dot2(x0, w0, sum0);
            ON_WORD(x0, in, 2);
            sum0 = on_dot2(x1, w1, sum0);
            sum1 = on_dot2(x1, w0, sum1);
            sum1 = on_dot2(x0, w1, sum1);
            source++;
        } while (source != rows_end);
        sum0 = on_mul_high_rounded(sum0, n[1]);
        sum1 = on_mul_high_rounded(sum1, n[1]);
        out0[(x * 2) + 0] = (int8_t)on_narrow_s8(on_half_from_zero(sum0) + n[2], 6);
        out0[(x * 2) + 2] = (int8_t)on_narrow_s8(on_half_from_zero(sum1) + n[2], 6);
    }
}

/* CONV_2D of 2x2 pixels each, stride 1x1, SAME, NONE: 2x3x2 -> 4x6x1 */
ON_NOINLINE static void tiny_conv_n03_rows_n03(tiny_conv_n03_rows_t *s, int32_t y)
{
    const int32_t first = ((y + 1) / 2) - 1;
    const int32_t last = on_min(first + 1, 1);
    while (s->n03_rows <= last) {
        tiny_conv_n03_rows_load(s, s->n03_rows);
        s->n03_rows++;
    }
    const on_half_t *rows[2];
    const int32_t begin = on_max(first, 0);
    for (int32_t row = begin; row <= last; ++row) {
        rows[row - begin] = &s->n03_in[((int32_t)((uint32_t)row % 2U) * 12) + 0];
    }
    int8_t *const row = s->out;
    for (int32_t tile = 0; tile < 1; ++tile) {
        const int32_t c = 0;
        const int32_t *const w = &tiny_conv_n03_rows_n03_weights[((((y + 1) % 2) * 8) + 0) + (tile * 4) + ((begin - first) * 2)];
        int8_t *const out = &row[0];
        tiny_conv_n03_rows_n03_tile(rows, rows + (last - begin + 1), 0, 3, w, &tiny_conv_n03_rows_n03_numbers[3 * c], &out[c]);
    }
    for (int32_t tile = 0; tile < 1; ++tile) {
        const int32_t c = 0;
        const int32_t *const w = &tiny_conv_n03_rows_n03_weights[((((y + 1) % 2) * 8) + 4) + (tile * 4) + ((begin - first) * 2)];
        int8_t *const out = &row[1];
        tiny_conv_n03_rows_n03_tile(rows, rows + (last - begin + 1), 1, 3, w, &tiny_conv_n03_rows_n03_numbers[3 * c], &out[c]);
    }
}

ON_NOINLINE static tiny_conv_n03_rows_t *tiny_conv_n03_rows_begin(const int8_t *x, void *scratch)
{
    tiny_conv_n03_rows_t *const s = scratch;
    on_clear(scratch, (int32_t)sizeof(*s) / 4);
    s->in = x;
    return s;
}

ON_NOINLINE static void tiny_conv_n03_rows(const int8_t *x, int8_t *y, void *scratch)
{
    tiny_conv_n03_rows_t *const s = tiny_conv_n03_rows_begin(x, scratch);
    for (int32_t row = 0; row < 4; ++row) {
        s->out = &y[row * 6];
        tiny_conv_n03_rows_n03(s, row);
    }
}

void tiny_conv_infer(tiny_conv_state_t *s, const int8_t in[TINY_CONV_IN_SIZE], int8_t out[TINY_CONV_OUT_SIZE])
{
    int8_t *const arena = s->arena;
    (void)arena;
    tiny_conv_n00_rows(in, &arena[144], &arena[0]);
    tiny_conv_n03_rows(&arena[144], out, &arena[0]);
}
