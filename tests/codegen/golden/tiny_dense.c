/* tiny_dense: int8 network 3x4x1 -> 3x4x1, made by ongen 0.1.0. */
#include "tiny_dense.h"

#include "on_fixed.h"
#include "on_pairs.h"

/* RESHAPE: 3x4x1 -> 12 */
ON_NOINLINE static void tiny_dense_n00_reshape(const int8_t *restrict x, int8_t *restrict y)
{
    for (int32_t i = 0; i < 12; ++i) {
        y[i] = x[i];
    }
}

/* FULLY_CONNECTED NONE: 12 -> 3 */
static const int8_t tiny_dense_n01_fully_connected_weights[36] = {
    121, 114, -111, -79, -77, -82, 21, -38, -4, -69, 115, 43, 42, -98, -87, 101, -47, 91, 73,
    -127, -7, 11, -8, -100, 56, -62, -38, -21, -51, -12, 86, -8, 61, 109, -72, -62
};
static const int32_t tiny_dense_n01_fully_connected_bias[3] = {
    486, -1405, 1179
};
static const int32_t tiny_dense_n01_fully_connected_multiplier[3] = {
    1790785733, 1790785733, 1790785733
};
static const int8_t tiny_dense_n01_fully_connected_shift[3] = {
    -9, -9, -9
};

ON_NOINLINE static void tiny_dense_n01_fully_connected(const int8_t *restrict x, int8_t *restrict y)
{
    for (int32_t row = 0; row < 1; ++row) {
        const int8_t *const in = x + (row * 12);
        for (int32_t unit = 0; unit < 3; ++unit) {
            const int8_t *const w = tiny_dense_n01_fully_connected_weights + (unit * 12);
            int32_t acc = tiny_dense_n01_fully_connected_bias[unit];
            for (int32_t i = 0; i < 12; ++i) {
                acc += in[i] * w[i];
            }
            y[(row * 3) + unit] = on_clamp_int8(on_requantize(acc, tiny_dense_n01_fully_connected_multiplier[unit], tiny_dense_n01_fully_connected_shift[unit]) + (-10), -128, 127);
        }
    }
}

/* FULLY_CONNECTED NONE: 3 -> 12 */
static const int8_t tiny_dense_n02_fully_connected_weights[36] = {
    43, 54, -76, 91, -93, -26, 67, 70, -122, -63, 114, 16, -93, -40, 26, -127, -21, -63, -45,
    34, -84, 106, 71, 38, 106, -106, 58, 99, 26, 11, 54, 57, 9, 9, 15, 58
};
static const int32_t tiny_dense_n02_fully_connected_bias[12] = {
    2646, 1615, -1155, 2927, -2737, -1180, 1731, 4979, 3238, 3143, 1055, -1487
};
static const int32_t tiny_dense_n02_fully_connected_multiplier[12] = {
    1308359552, 1278910464, 1226264704, 1736350208, 1296085760, 1881034368, 1215510400,
    1284473216, 1635253888, 1118303744, 1911696256, 1100825600
};
static const int8_t tiny_dense_n02_fully_connected_shift[12] = {
    -4, -4, -4, -7, -4, -5, -4, -5, -6, -4, -5, -4
};

ON_NOINLINE static void tiny_dense_n02_fully_connected(const int8_t *restrict x, int8_t *restrict y)
{
    for (int32_t row = 0; row < 1; ++row) {
        const int8_t *const in = x + (row * 3);
        for (int32_t unit = 0; unit < 12; ++unit) {
            const int8_t *const w = tiny_dense_n02_fully_connected_weights + (unit * 3);
            int32_t acc = tiny_dense_n02_fully_connected_bias[unit];
            for (int32_t i = 0; i < 3; ++i) {
                acc += in[i] * w[i];
            }
            y[(row * 12) + unit] = on_clamp_int8(on_requantize(acc, tiny_dense_n02_fully_connected_multiplier[unit], tiny_dense_n02_fully_connected_shift[unit]) + (0), -128, 127);
        }
    }
}

/* RESHAPE: 12 -> 3x4x1 */
ON_NOINLINE static void tiny_dense_n03_reshape(const int8_t *restrict x, int8_t *restrict y)
{
    for (int32_t i = 0; i < 12; ++i) {
        y[i] = x[i];
    }
}

void tiny_dense_infer(tiny_dense_state_t *s, const int8_t in[TINY_DENSE_IN_SIZE], int8_t out[TINY_DENSE_OUT_SIZE])
{
    int8_t *const arena = s->arena;
    (void)arena;
    tiny_dense_n00_reshape(in, &arena[0]);
    tiny_dense_n01_fully_connected(&arena[0], &arena[16]);
    tiny_dense_n02_fully_connected(&arena[16], &arena[0]);
    tiny_dense_n03_reshape(&arena[0], out);
}
