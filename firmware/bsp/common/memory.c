/* The functions compilers call on their own: there is no libc in this firmware. */
#include <stddef.h>
#include <stdint.h>

/* An empty statement that compilers cannot see through: without it they would recognise the loops
 * below as memcpy() or memset() and let these functions call themselves. */
#define OPAQUE() __asm__ volatile("" ::: "memory")

typedef uintptr_t __attribute__((may_alias)) word_t;
#define WORD sizeof(word_t)
#define IS_ALIGNED(p) (((uintptr_t)(p) & (WORD - 1U)) == 0U)

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *left, const void *right, size_t n);

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    uint8_t *d = to;
    const uint8_t *s = from;
    if (IS_ALIGNED(d) && IS_ALIGNED(s)) {
        for (; n >= WORD; n -= WORD, d += WORD, s += WORD) {
            *(word_t *)(void *)d = *(const word_t *)(const void *)s;
            OPAQUE();
        }
    }
    for (; n > 0U; n--) {
        *d++ = *s++;
        OPAQUE();
    }
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    uint8_t *d = to;
    const uint8_t *s = from;
    if ((uintptr_t)d <= (uintptr_t)s || (uintptr_t)d >= (uintptr_t)s + n) {
        return memcpy(to, from, n);
    }
    while (n > 0U) {
        n--;
        d[n] = s[n];
        OPAQUE();
    }
    return to;
}

void *memset(void *to, int value, size_t n) {
    uint8_t *d = to;
    const word_t pattern = (~(word_t)0 / 255U) * (uint8_t)value;
    for (; n > 0U && !IS_ALIGNED(d); n--) {
        *d++ = (uint8_t)value;
        OPAQUE();
    }
    for (; n >= WORD; n -= WORD, d += WORD) {
        *(word_t *)(void *)d = pattern;
        OPAQUE();
    }
    for (; n > 0U; n--) {
        *d++ = (uint8_t)value;
        OPAQUE();
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t n) {
    const uint8_t *a = left;
    const uint8_t *b = right;
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
        OPAQUE();
    }
    return 0;
}

#if defined(__arm__)
/* What the Arm procedure call standard's run-time ABI calls the same (RTABI32 4.3.4): clang uses these
 * names. Without them zig would build its whole run-time library first. */
void __aeabi_memcpy(void *to, const void *from, size_t n);
void __aeabi_memcpy4(void *to, const void *from, size_t n);
void __aeabi_memcpy8(void *to, const void *from, size_t n);
void __aeabi_memmove(void *to, const void *from, size_t n);
void __aeabi_memmove4(void *to, const void *from, size_t n);
void __aeabi_memmove8(void *to, const void *from, size_t n);
void __aeabi_memset(void *to, size_t n, int value);
void __aeabi_memset4(void *to, size_t n, int value);
void __aeabi_memset8(void *to, size_t n, int value);
void __aeabi_memclr(void *to, size_t n);
void __aeabi_memclr4(void *to, size_t n);
void __aeabi_memclr8(void *to, size_t n);

void __aeabi_memcpy(void *to, const void *from, size_t n) {
    (void)memcpy(to, from, n);
}

void __aeabi_memcpy4(void *to, const void *from, size_t n) {
    (void)memcpy(to, from, n);
}

void __aeabi_memcpy8(void *to, const void *from, size_t n) {
    (void)memcpy(to, from, n);
}

void __aeabi_memmove(void *to, const void *from, size_t n) {
    (void)memmove(to, from, n);
}

void __aeabi_memmove4(void *to, const void *from, size_t n) {
    (void)memmove(to, from, n);
}

void __aeabi_memmove8(void *to, const void *from, size_t n) {
    (void)memmove(to, from, n);
}

void __aeabi_memset(void *to, size_t n, int value) {
    (void)memset(to, value, n);
}

void __aeabi_memset4(void *to, size_t n, int value) {
    (void)memset(to, value, n);
}

void __aeabi_memset8(void *to, size_t n, int value) {
    (void)memset(to, value, n);
}

void __aeabi_memclr(void *to, size_t n) {
    (void)memset(to, 0, n);
}

void __aeabi_memclr4(void *to, size_t n) {
    (void)memset(to, 0, n);
}

void __aeabi_memclr8(void *to, size_t n) {
    (void)memset(to, 0, n);
}
#endif
