/* The convolutions of the CIFAR-10 network that Lai, Suda and Chandra (arXiv:1801.06601, table 1) timed on an
 * STM32F746: 5x5, int8, as products of 16-bit pairs (SMLAD). The way is theirs (pixels side by side in 16 bits, two
 * pixels times two filters), the code is ours; weights and images are noise. */
#include <arm_acle.h>

#include "anchors.h"

#define KERNEL 5
#define MOST_TAPS (KERNEL * KERNEL * 32)

typedef uint32_t __attribute__((may_alias)) word_t;

static int8_t image[32 * 32 * 32], result[32 * 32 * 32], filters[KERNEL * KERNEL * 32 * 64];

/* Four numbers of 8 bits as 16: the first and the third, the second and the fourth. */
static inline int16x2_t even(uint32_t word) { return __sxtb16((int8x4_t)word); }
static inline int16x2_t odd(uint32_t word) { return __sxtb16((int8x4_t)(word >> 8 | word << 24)); }

/* Put the 5x5 pixels around one side by side, with zeros outside; count of numbers, a multiple of 4. */
static int gather(int size, int channels, int row, int column, int8_t *patch) {
    int n = 0;
    for (int y = row - KERNEL / 2; y <= row + KERNEL / 2; y++) {
        for (int x = column - KERNEL / 2; x <= column + KERNEL / 2; x++) {
            const int inside = y >= 0 && y < size && x >= 0 && x < size;
            const int8_t *pixel = inside ? &image[(y * size + x) * channels] : image;
            for (int c = 0; c < channels; c++) {
                patch[n++] = inside ? pixel[c] : 0;
            }
        }
    }
    while (n % 4 != 0) {
        patch[n++] = 0;
    }
    return n;
}

static void widen(const word_t *bytes, int words, word_t *pairs) {
    for (int i = 0; i < words; i++) {
        const word_t word = bytes[i];
        pairs[2 * i] = (word_t)even(word);
        pairs[2 * i + 1] = (word_t)odd(word);
    }
}

static int8_t narrow(int32_t sum) {
    const int32_t value = (sum + (1 << 11)) >> 12;
    return (int8_t)(value < 0 ? 0 : value > 127 ? 127 : value);
}

/* Two pixels times two filters. */
static void multiply(const word_t *f, const word_t *g, const word_t *p, const word_t *q, int words, int8_t *to_p,
                     int8_t *to_q) {
    int32_t fp = 0, fq = 0, gp = 0, gq = 0;
    for (int i = 0; i < words; i++) {
        const word_t fw = f[i], gw = g[i];
        const int16x2_t fe = even(fw), fo = odd(fw), ge = even(gw), go = odd(gw);
        const int16x2_t pe = (int16x2_t)p[2 * i], po = (int16x2_t)p[2 * i + 1];
        const int16x2_t qe = (int16x2_t)q[2 * i], qo = (int16x2_t)q[2 * i + 1];
        fp = __smlad(fe, pe, fp);
        fq = __smlad(fe, qe, fq);
        gp = __smlad(ge, pe, gp);
        gq = __smlad(ge, qe, gq);
        fp = __smlad(fo, po, fp);
        fq = __smlad(fo, qo, fq);
        gp = __smlad(go, po, gp);
        gq = __smlad(go, qo, gq);
    }
    to_p[0] = narrow(fp);
    to_p[1] = narrow(gp);
    to_q[0] = narrow(fq);
    to_q[1] = narrow(gq);
}

static void convolve(int size, int inputs, int outputs) {
    static word_t patch[MOST_TAPS / 4], pairs[2][MOST_TAPS / 2];
    for (int place = 0; place < size * size; place += 2) {
        int words = 0;
        for (int i = 0; i < 2; i++) {
            words = gather(size, inputs, (place + i) / size, (place + i) % size, (int8_t *)patch) / 4;
            widen(patch, words, pairs[i]);
        }
        const word_t *weights = (const word_t *)(const void *)filters;
        int8_t *to = &result[place * outputs];
        for (int c = 0; c < outputs; c += 2) {
            multiply(&weights[c * words], &weights[(c + 1) * words], pairs[0], pairs[1], words, &to[c],
                     &to[outputs + c]);
        }
    }
}

static void fill(int8_t *data, int n) {
    for (int i = 0; i < n; i++) {
        data[i] = (int8_t)((int32_t)(anchor_random() & 0xFFU) - 128);
    }
}

uint32_t anchor_convolutions(void) {
    static const int sizes[] = {32, 16, 8}, inputs[] = {3, 32, 32}, outputs[] = {32, 32, 64};
    uint16_t crc = 0;
    anchor_seed(5);
    for (int i = 0; i < 3; i++) {
        const int taps = (KERNEL * KERNEL * inputs[i] + 3) & -4, values = sizes[i] * sizes[i];
        fill(image, values * inputs[i]);
        fill(filters, taps * outputs[i]);
        convolve(sizes[i], inputs[i], outputs[i]);
        crc = anchor_crc16(result, 64, crc);
    }
    return crc;
}
