/* tiny_dense: int8 network 3x4x1 -> 3x4x1, made by ongen 0.1.0. */
#include "tiny_dense.h"

#include "on_bytes.h"
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
/* Each half of a word is 256 * odd + even, weights of two neighbouring inputs. */
static const int32_t tiny_dense_n01_fully_connected_weights[9] = {
    -1332645255, -636113485, 729004796, 1688837674, -2125899055, -1678243079, -354762184,
    -128519219, -1044878019
};
/* Of some units the sums to begin with, times 256. */
static const int32_t tiny_dense_n01_fully_connected_numbers[3] = {
    3773440, 3677952, 2140416
};

ON_NOINLINE static void tiny_dense_n01_fully_connected(const int8_t *restrict x, int8_t *restrict y, void *restrict scratch)
{
    on_pair_t *const pairs = scratch; /* the inputs */
    int8_t *out = y;
    for (int32_t row = 0; row < 1; ++row) {
        const on_pair_t *w = tiny_dense_n01_fully_connected_weights;
        const on_pair_t *n = tiny_dense_n01_fully_connected_numbers;
        on_spread_row(x + (row * 12), pairs, 12);
        for (int32_t i = 0; i < 3; ++i) {
            int32_t sum[1];
            n = on_read_1(n, sum);
            w = on_units_1(w, pairs, 3, sum);
            out[0] = (int8_t)on_linear_s8_by(sum[0], 1790785733, -19, 8);
            out += 1;
        }
    }
}

/* FULLY_CONNECTED NONE: 3 -> 12 */
/* Each half of a word is 256 * odd + even, weights of two neighbouring inputs. */
static const int32_t tiny_dense_n02_fully_connected_weights[12] = {
    -4966869, -1662117, -7977405, 1077697, 1759139, -4068735, -5496365, 2508650, 3839594,
    727651, 604470, 3804937
};
/* Of some units the sums to begin with, times 256, bits in the low byte; then multipliers. */
static const int32_t tiny_dense_n02_fully_connected_numbers[24] = {
    -1097469, 3468035, -2593277, -3003386, 1308359552, 1278910464, 1226264704, 1736350208,
    637443, 440068, -646653, -1106940, 1296085760, 1881034368, 1215510400, 1284473216, 4287493,
    -82173, -1628412, -893181, 1635253888, 1118303744, 1911696256, 1100825600
};

ON_NOINLINE static void tiny_dense_n02_fully_connected(const int8_t *restrict x, int8_t *restrict y, void *restrict scratch)
{
    on_pair_t *const pairs = scratch; /* the inputs */
    int8_t *out = y;
    for (int32_t row = 0; row < 1; ++row) {
        const on_pair_t *w = tiny_dense_n02_fully_connected_weights;
        const on_pair_t *n = tiny_dense_n02_fully_connected_numbers;
        on_spread_row(x + (row * 3), pairs, 3);
        for (int32_t i = 0; i < 3; ++i) {
            int32_t sum[4], m[4];
            n = on_read_4(n, sum);
            w = on_units_4(w, pairs, 1, sum);
            n = on_read_4(n, m);
            out[0] = (int8_t)on_linear_s8(sum[0], m[0], 1);
            out[1] = (int8_t)on_linear_s8(sum[1], m[1], 1);
            out[2] = (int8_t)on_linear_s8(sum[2], m[2], 1);
            out[3] = (int8_t)on_linear_s8(sum[3], m[3], 1);
            out += 4;
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
    tiny_dense_n00_reshape(in, &arena[32]);
    tiny_dense_n01_fully_connected(&arena[32], &arena[48], &arena[0]);
    tiny_dense_n02_fully_connected(&arena[48], &arena[16], &arena[0]);
    tiny_dense_n03_reshape(&arena[16], out);
}
