/* tiny_conv: int8 network 4x6x1 -> 4x6x1, made by ongen 0.1.0. */
#include "tiny_conv.h"

#include "on_fixed.h"

/* DEPTHWISE_CONV_2D stride 1x1, SAME, RELU: 4x6x1 -> 4x6x2 */
static const int8_t tiny_conv_n00_depthwise_conv2d_weights[18] = {
    23, 26, 54, -120, -4, -90, -25, 109, 12, -110, 11, -94, 65, 114, 122, 31, 94, -33
};
static const int32_t tiny_conv_n00_depthwise_conv2d_bias[2] = {
    -2126, 68
};
static const int32_t tiny_conv_n00_depthwise_conv2d_multiplier[2] = {
    1482369815, 1887552550
};
static const int8_t tiny_conv_n00_depthwise_conv2d_shift[2] = {
    -7, -6
};
/* With the input's zero point in it, for windows that lie inside the input. */
static const int32_t tiny_conv_n00_depthwise_conv2d_bias_inside[2] = {
    -3182, 569
};
ON_NOINLINE static void tiny_conv_n00_depthwise_conv2d(const int8_t *restrict x, int8_t *restrict y)
{
    int8_t *out = y;
for (int32_t oy = 0; oy < 4; ++oy) {
        const int32_t y0 = oy - 1;
        for (int32_t ox = 0; ox < 6; ++ox) {
            const int32_t x0 = ox - 1;
const int32_t ky_begin = on_max(0, -y0);
            const int32_t ky_end = on_min(3, 4 - y0);
            const int32_t kx_begin = on_max(0, -x0);
            const int32_t kx_end = on_min(3, 6 - x0);
            if ((ky_end - ky_begin < 3) || (kx_end - kx_begin < 3)) {
                for (int32_t oc = 0; oc < 2; ++oc) {
                    int32_t acc = tiny_conv_n00_depthwise_conv2d_bias[oc];
                    for (int32_t ky = ky_begin; ky < ky_end; ++ky) {
                        for (int32_t kx = kx_begin; kx < kx_end; ++kx) {
                            const int32_t in = x[((((y0 + ky) * 6) + x0 + kx) * 1) + (oc / 2)];
                            acc += (in - 3) * tiny_conv_n00_depthwise_conv2d_weights[(((ky * 3) + kx) * 2) + oc];
                        }
                    }
                    *out++ = on_clamp_int8(on_requantize(acc, tiny_conv_n00_depthwise_conv2d_multiplier[oc], tiny_conv_n00_depthwise_conv2d_shift[oc]) + (-128), -128, 127);
                }
                continue;
            }
            for (int32_t oc = 0; oc < 2; ++oc) {
                const int8_t *const in = &x[(((y0 * 6) + x0) * 1) + (oc / 2)];
                const int8_t *const w = &tiny_conv_n00_depthwise_conv2d_weights[oc];
                int32_t acc = tiny_conv_n00_depthwise_conv2d_bias_inside[oc];
                for (int32_t ky = 0; ky < 3; ++ky) {
                    for (int32_t kx = 0; kx < 3; ++kx) {
                        acc += in[((ky * 6) + kx) * 1] * w[((ky * 3) + kx) * 2];
                    }
                }
                *out++ = on_clamp_int8(on_requantize(acc, tiny_conv_n00_depthwise_conv2d_multiplier[oc], tiny_conv_n00_depthwise_conv2d_shift[oc]) + (-128), -128, 127);
            }
        }
    }
}

/* MAX_POOL_2D 2x2, stride 2x2, VALID, NONE: 4x6x2 -> 2x3x2 */
ON_NOINLINE static void tiny_conv_n01_max_pool2d(const int8_t *restrict x, int8_t *restrict y)
{
    int8_t *out = y;
for (int32_t oy = 0; oy < 2; ++oy) {
        const int32_t y0 = (oy * 2);
        for (int32_t ox = 0; ox < 3; ++ox) {
            const int32_t x0 = (ox * 2);
const int32_t ky_begin = on_max(0, -y0);
            const int32_t ky_end = on_min(2, 4 - y0);
            const int32_t kx_begin = on_max(0, -x0);
            const int32_t kx_end = on_min(2, 6 - x0);
            for (int32_t c = 0; c < 2; ++c) {
                int32_t largest = INT8_MIN;
                for (int32_t ky = ky_begin; ky < ky_end; ++ky) {
                    for (int32_t kx = kx_begin; kx < kx_end; ++kx) {
                        largest = on_max(largest, x[((((y0 + ky) * 6) + x0 + kx) * 2) + c]);
                    }
                }
                *out++ = on_clamp_int8(largest, -128, 127);
            }
        }
    }
}

/* RESIZE_NEAREST_NEIGHBOR to 4x6: 2x3x2 -> 4x6x2 */
ON_NOINLINE static void tiny_conv_n02_resize_nearest(const int8_t *restrict x, int8_t *restrict y)
{
    int8_t *out = y;
    for (int32_t iy = 0; iy < 2; ++iy) {
        for (int32_t repeat = 0; repeat < 2; ++repeat) {
            const int8_t *in = x + (iy * 6);
            for (int32_t ix = 0; ix < 3; ++ix) {
                for (int32_t copy = 0; copy < 2; ++copy) {
                    for (int32_t c = 0; c < 2; ++c) {
                        *out++ = in[c];
                    }
                }
                in += 2;
            }
        }
    }
}

/* CONV_2D stride 1x1, SAME, NONE: 4x6x2 -> 4x6x1 */
static const int8_t tiny_conv_n03_conv2d_weights[18] = {
    126, -57, 91, -92, -39, 73, -64, 43, -10, 3, 113, 81, 86, 13, 123, 123, -93, -75
};
static const int32_t tiny_conv_n03_conv2d_bias[1] = {
    -1150
};
static const int32_t tiny_conv_n03_conv2d_multiplier[1] = {
    1276457216
};
static const int8_t tiny_conv_n03_conv2d_shift[1] = {
    -6
};
/* With the input's zero point in it, for windows that lie inside the input. */
static const int32_t tiny_conv_n03_conv2d_bias_inside[1] = {
    55810
};
ON_NOINLINE static void tiny_conv_n03_conv2d(const int8_t *restrict x, int8_t *restrict y)
{
    int8_t *out = y;
for (int32_t oy = 0; oy < 4; ++oy) {
        const int32_t y0 = oy - 1;
        for (int32_t ox = 0; ox < 6; ++ox) {
            const int32_t x0 = ox - 1;
const int32_t ky_begin = on_max(0, -y0);
            const int32_t ky_end = on_min(3, 4 - y0);
            const int32_t kx_begin = on_max(0, -x0);
            const int32_t kx_end = on_min(3, 6 - x0);
            if ((ky_end - ky_begin < 3) || (kx_end - kx_begin < 3)) {
                for (int32_t oc = 0; oc < 1; ++oc) {
                    int32_t acc = tiny_conv_n03_conv2d_bias[oc];
                    for (int32_t ky = ky_begin; ky < ky_end; ++ky) {
                        const int8_t *in = &x[(((y0 + ky) * 6) + x0 + kx_begin) * 2];
                        const int8_t *w = &tiny_conv_n03_conv2d_weights[((((oc * 3) + ky) * 3) + kx_begin) * 2];
                        for (int32_t i = 0; i < (kx_end - kx_begin) * 2; ++i) {
                            acc += (in[i] + 128) * w[i];
                        }
                    }
                    *out++ = on_clamp_int8(on_requantize(acc, tiny_conv_n03_conv2d_multiplier[oc], tiny_conv_n03_conv2d_shift[oc]) + (9), -128, 127);
                }
                continue;
            }
            for (int32_t oc = 0; oc < 1; ++oc) {
                int32_t acc = tiny_conv_n03_conv2d_bias_inside[oc];
                for (int32_t ky = 0; ky < 3; ++ky) {
                    const int8_t *in = &x[(((y0 + ky) * 6) + x0) * 2];
                    const int8_t *w = &tiny_conv_n03_conv2d_weights[((oc * 3) + ky) * 6];
                    for (int32_t i = 0; i < 6; ++i) {
                        acc += in[i] * w[i];
                    }
                }
                *out++ = on_clamp_int8(on_requantize(acc, tiny_conv_n03_conv2d_multiplier[oc], tiny_conv_n03_conv2d_shift[oc]) + (9), -128, 127);
            }
        }
    }
}

void tiny_conv_infer(tiny_conv_state_t *s, const int8_t in[TINY_CONV_IN_SIZE], int8_t out[TINY_CONV_OUT_SIZE])
{
    int8_t *const arena = s->arena;
    (void)arena;
    tiny_conv_n00_depthwise_conv2d(in, &arena[0]);
    tiny_conv_n01_max_pool2d(&arena[0], &arena[48]);
    tiny_conv_n02_resize_nearest(&arena[48], &arena[0]);
    tiny_conv_n03_conv2d(&arena[0], out);
}
