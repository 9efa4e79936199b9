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
    on_half_t n00_in[3][8] ON_ALIGNED; /* 3 x [1][8] */
    int32_t n01_rows;
    on_half_t n01_in[2][12] ON_ALIGNED; /* 2 x [2][6] */
    on_half_t zeros[8] ON_ALIGNED; /* stands for rows of padding */
} __attribute__((aligned(16))) tiny_conv_n00_rows_t;

_Static_assert(sizeof(tiny_conv_n00_rows_t) <= 160, "the arena has room for the rows");

/* Bring a row of the input into the first buffer. */
ON_NOINLINE static void tiny_conv_n00_rows_load(tiny_conv_n00_rows_t *s, int32_t y)
{
    const int8_t *const in = &s->in[y * 6];
    on_half_t *const row = &s->n00_in[(uint32_t)y % 3U][1];
    for (int32_t c = 0; c < 1; ++c) {
        on_half_t *out = &row[(c) * 8];
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

static const int32_t tiny_conv_n00_rows_n00_table[18] = {
    452987776, 65024, 100725632, 1408, 1023418496, 12032, -272128, 1482369815, 4128,
    -2013259264, 42496, -1845465856, 41472, 520122880, 57088, 17408, 1887552550, 4160
};

/* One channel of one row: each source row is read once, two pixels to the word. */
ON_NOINLINE static void tiny_conv_n00_rows_n00_channel(const on_pair_t *r0, const on_pair_t *r1, const on_pair_t *r2, const int32_t *w, on_half_t *out)
{
    const int32_t w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], w4 = w[4], w5 = w[5], bias = w[6], multiplier = w[7], addend = w[8];
    {
        int32_t sum, r0x0, r0x1, r1x0, r1x1, r2x0, r2x1, r0x0s, r1x0s, r2x0s, r0x2, r0x3, r1x2, r1x3, r2x2, r2x3, r0x1s, r1x1s, r2x1s, r0x2s, r1x2s, r2x2s;
        ON_WORDS(r0x0, r0x1, r0, 0);
        sum = on_dot2(r0x0, w0, bias);
        sum = on_dot2(r0x1, w1, sum);
        ON_WORDS(r1x0, r1x1, r1, 0);
        sum = on_dot2(r1x0, w2, sum);
        sum = on_dot2(r1x1, w3, sum);
        ON_WORDS(r2x0, r2x1, r2, 0);
        sum = on_dot2(r2x0, w4, sum);
        sum = on_dot2(r2x1, w5, sum);
        out[0] = (on_half_t)on_narrow_u8(on_add_high(addend, sum, multiplier), 13);
        r0x0s = on_straddle(r0x0, r0x1);
        sum = on_dot2x(r0x0s, w0, bias);
        sum = on_dot2x(r0x1, w1, sum);
        r1x0s = on_straddle(r1x0, r1x1);
        sum = on_dot2x(r1x0s, w2, sum);
        sum = on_dot2x(r1x1, w3, sum);
        r2x0s = on_straddle(r2x0, r2x1);
        sum = on_dot2x(r2x0s, w4, sum);
        sum = on_dot2x(r2x1, w5, sum);
        out[1] = (on_half_t)on_narrow_u8(on_add_high(addend, sum, multiplier), 13);
        sum = on_dot2(r0x1, w0, bias);
        ON_WORDS(r0x2, r0x3, r0, 2);
        sum = on_dot2(r0x2, w1, sum);
        sum = on_dot2(r1x1, w2, sum);
        ON_WORDS(r1x2, r1x3, r1, 2);
        sum = on_dot2(r1x2, w3, sum);
        sum = on_dot2(r2x1, w4, sum);
        ON_WORDS(r2x2, r2x3, r2, 2);
        sum = on_dot2(r2x2, w5, sum);
        out[2] = (on_half_t)on_narrow_u8(on_add_high(addend, sum, multiplier), 13);
        r0x1s = on_straddle(r0x1, r0x2);
        sum = on_dot2x(r0x1s, w0, bias);
        sum = on_dot2x(r0x2, w1, sum);
        r1x1s = on_straddle(r1x1, r1x2);
        sum = on_dot2x(r1x1s, w2, sum);
        sum = on_dot2x(r1x2, w3, sum);
        r2x1s = on_straddle(r2x1, r2x2);
        sum = on_dot2x(r2x1s, w4, sum);
        sum = on_dot2x(r2x2, w5, sum);
        out[3] = (on_half_t)on_narrow_u8(on_add_high(addend, sum, multiplier), 13);
        sum = on_dot2(r0x2, w0, bias);
        sum = on_dot2(r0x3, w1, sum);
        sum = on_dot2(r1x2, w2, sum);
        sum = on_dot2(r1x3, w3, sum);
        sum = on_dot2(r2x2, w4, sum);
        sum = on_dot2(r2x3, w5, sum);
        out[4] = (on_half_t)on_narrow_u8(on_add_high(addend, sum, multiplier), 13);
        r0x2s = on_straddle(r0x2, r0x3);
        sum = on_dot2x(r0x2s, w0, bias);
        sum = on_dot2x(r0x3, w1, sum);
        r1x2s = on_straddle(r1x2, r1x3);
        sum = on_dot2x(r1x2s, w2, sum);
        sum = on_dot2x(r1x3, w3, sum);
        r2x2s = on_straddle(r2x2, r2x3);
        sum = on_dot2x(r2x2s, w4, sum);
        sum = on_dot2x(r2x3, w5, sum);
        out[5] = (on_half_t)on_narrow_u8(on_add_high(addend, sum, multiplier), 13);
    }
}

/* DEPTHWISE_CONV_2D stride 1x1, SAME, RELU: 4x6x1 -> 4x6x2 */
ON_NOINLINE static void tiny_conv_n00_rows_n00(tiny_conv_n00_rows_t *s, int32_t y)
{
    const int32_t first = y - 1;
    const int32_t last = on_min(first + 2, 3);
    while (s->n00_rows <= last) {
        tiny_conv_n00_rows_load(s, s->n00_rows);
        s->n00_rows++;
    }
    const int32_t *w = &tiny_conv_n00_rows_n00_table[0];
    on_half_t *const out = &s->n01_in[(uint32_t)y % 2U][0];
    for (int32_t c = 0; c < 2; ++c) {
        const int32_t y0 = first + 0;
        const on_half_t *const r0 = ((y0 >= 0) && (y0 < 4)) ? &s->n00_in[(uint32_t)y0 % 3U][(c / 2) * 8] : s->zeros;
        const int32_t y1 = first + 1;
        const on_half_t *const r1 = ((y1 >= 0) && (y1 < 4)) ? &s->n00_in[(uint32_t)y1 % 3U][(c / 2) * 8] : s->zeros;
        const int32_t y2 = first + 2;
        const on_half_t *const r2 = ((y2 >= 0) && (y2 < 4)) ? &s->n00_in[(uint32_t)y2 % 3U][(c / 2) * 8] : s->zeros;
        tiny_conv_n00_rows_n00_channel((const on_pair_t *)r0, (const on_pair_t *)r1, (const on_pair_t *)r2, w, &out[(c) * 6]);
        w += 9;
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
    int8_t *const out = s->out;
    for (int32_t c = 0; c < 2; ++c) {
        int8_t *to = &out[c];
        for (int32_t x = 0; x < 3; ++x) {
            int32_t largest = INT16_MIN;
            for (int32_t row = first; row <= last; ++row) {
                const on_half_t *const in = &s->n01_in[(uint32_t)row % 2U][(c * 6) + (x * 2)];
                for (int32_t k = 0; k < 2; ++k) {
                    largest = on_max(largest, in[k]);
                }
            }
            *to = (int8_t)(largest + (-128));
            to += 2;
        }
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
    on_half_t n03_in[2][12] ON_ALIGNED; /* 2 x [1][6][2] */
    on_half_t zeros[2] ON_ALIGNED; /* stands for rows of padding */
} __attribute__((aligned(16))) tiny_conv_n03_rows_t;

_Static_assert(sizeof(tiny_conv_n03_rows_t) <= 96, "the arena has room for the rows");

/* Bring a row of the input into the first buffer. */
ON_NOINLINE static void tiny_conv_n03_rows_load(tiny_conv_n03_rows_t *s, int32_t y)
{
    const int8_t *const in = &s->in[y * 6];
    on_half_t *const row = &s->n03_in[(uint32_t)y % 2U][2];
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
        int32_t sum00 = n[0];
        int32_t sum10 = sum00;
        do {
            const on_pair_t *in = (const on_pair_t *)(const void *)*source + in0 + x;
            int32_t x0, x1, w0, w1;
            ON_NEXTS(w0, w1, w);

            ON_WORDS(x0, x1, in, 0);
            sum00 = on_dot2(x0, w0, sum00);
            sum00 = on_dot2(x1, w1, sum00);
            sum10 = on_dot2(x1, w0, sum10);
            ON_WORD(x0, in, 2);
            sum10 = on_dot2(x0, w1, sum10);
            in += 6;
            ON_OPAQUE(in);
            source++;
        } while (source != rows_end);
        out0[(x * 2) + 0] = (int8_t)on_narrow_s8(on_half_from_zero(on_mul_high_rounded(sum00, n[1])) + n[2], 6);
        out0[(x * 2) + 2] = (int8_t)on_narrow_s8(on_half_from_zero(on_mul_high_rounded(sum10, n[1])) + n[2], 6);
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
        rows[row - begin] = s->n03_in[(uint32_t)row % 2U];
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
    tiny_conv_n00_rows(in, &arena[160], &arena[0]);
    tiny_conv_n03_rows(&arena[160], out, &arena[0]);
}
