/* Run many generated networks: inputs from stdin, outputs to stdout, the name of each to stderr.
 *
 * networks.h is written by sanitized.py: it includes the networks' headers and defines
 * NETWORKS(X) as X(name, NAME) for each. Every buffer has a heap block of its own that ends where
 * the buffer ends, so that AddressSanitizer sees any access outside; inputs and outputs start at
 * any address, as a caller's may; the state starts as rubbish.
 *
 * Usage: run_networks FIRST RUNS (number of the first network; inputs for each network)
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "networks.h"

typedef struct {
    const char *name;
    size_t state, in, out;
    void (*infer)(void *state, const int8_t *in, int8_t *out);
} network_t;

#define WRAP(name, NAME)                                                  \
    static void run_##name(void *state, const int8_t *in, int8_t *out)    \
    {                                                                     \
        name##_infer(state, in, out);                                     \
    }
NETWORKS(WRAP)

#define ROW(name, NAME) {#name, sizeof(name##_state_t), NAME##_IN_SIZE, NAME##_OUT_SIZE, run_##name},
static const network_t networks[] = {NETWORKS(ROW)};

static void require(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "run_networks: cannot %s\n", what);
        exit(3);
    }
}

static uint8_t *allocate(size_t size)
{
    uint8_t *const block = malloc(size);
    require(block != NULL, "allocate");
    return block;
}

static void run(const network_t *network, size_t number)
{
    const size_t offset = number % 4U;
    uint8_t *const state = allocate(network->state);
    uint8_t *const in = allocate(offset + network->in);
    uint8_t *const out = allocate(offset + network->out);
    memset(state, (int)(0xA5U + number), network->state);
    memset(out, (int)(0x5AU + number), offset + network->out);
    require(fread(in + offset, 1, network->in, stdin) == network->in, "read an input");
    network->infer(state, (const int8_t *)(in + offset), (int8_t *)(out + offset));
    require(fwrite(out + offset, 1, network->out, stdout) == network->out, "write an output");
    free(out);
    free(in);
    free(state);
}

int main(int argc, char **argv)
{
    require(argc == 3, "run without FIRST and RUNS");
    const size_t first = strtoul(argv[1], NULL, 10);
    const size_t runs = strtoul(argv[2], NULL, 10);
    for (size_t n = first; n < sizeof networks / sizeof networks[0]; ++n) {
        fprintf(stderr, "%s\n", networks[n].name);
        for (size_t number = 0; number < runs; ++number) {
            run(&networks[n], number);
        }
        require(fflush(stdout) == 0, "write");
    }
    return 0;
}
