/* A QEMU plugin for the host: how often each block of a program ran, in a file others can read meanwhile.
 *
 * Written against the documented interface (docs/devel/tcg-plugins.rst of QEMU) without its header, which
 * distributions do not ship and which wants glib. COUNT_API is the interface's version: 1 up to QEMU 8.2, 2 from
 * 9.0 on; what is used here is the same in both. One argument: counts=PATH, a file of zeros with room for N + 1
 * places, N a power of two: a hash table of blocks, and behind it one for what found no place, at address LOST.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define NO_REGISTERS 0
#define LOST UINT64_MAX

typedef uint64_t plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*on_translation_t)(plugin_id_t id, struct qemu_plugin_tb *block);
typedef void (*on_execution_t)(unsigned int cpu, void *user);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id_t id, on_translation_t callback);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, on_execution_t callback, int flags,
                                                 void *user);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);

EXPORT int qemu_plugin_version = COUNT_API;
EXPORT int qemu_plugin_install(plugin_id_t id, const void *info, int argc, char **argv);

/* One place of the file; free while instructions is 0. */
typedef struct {
    uint64_t address;
    uint32_t size; /* bytes */
    uint32_t instructions;
    uint64_t runs;
} block_t;

static block_t *blocks;
static size_t places;

/* The block's place: blocks that begin at one address can differ in size. */
static block_t *find(uint64_t address, uint32_t size, uint32_t instructions) {
    size_t at = (size_t)((address >> 1) * 0x9E3779B97F4A7C15U >> 32);
    for (size_t tries = 0; tries < places; tries++, at++) {
        block_t *block = &blocks[at & (places - 1U)];
        if (block->instructions == 0U) {
            *block = (block_t){address, size, instructions, 0};
        }
        if (block->address == address && block->size == size) {
            return block;
        }
    }
    blocks[places].address = LOST;
    return &blocks[places];
}

static void on_execution(unsigned int cpu, void *user) {
    (void)cpu;
    ((block_t *)user)->runs++;
}

static void on_translation(plugin_id_t id, struct qemu_plugin_tb *translated) {
    (void)id;
    const size_t n = qemu_plugin_tb_n_insns(translated);
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        size += qemu_plugin_insn_size(qemu_plugin_tb_get_insn(translated, i));
    }
    block_t *block = find(qemu_plugin_tb_vaddr(translated), (uint32_t)size, (uint32_t)n);
    qemu_plugin_register_vcpu_tb_exec_cb(translated, on_execution, NO_REGISTERS, block);
}

static int map_file(const char *path) {
    const int file = open(path, O_RDWR);
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0) {
        return -1;
    }
    void *memory = mmap(NULL, (size_t)about.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    (void)close(file);
    if (memory == MAP_FAILED) {
        return -1;
    }
    blocks = memory;
    places = (size_t)about.st_size / sizeof(block_t) - 1U;
    return 0;
}

int qemu_plugin_install(plugin_id_t id, const void *info, int argc, char **argv) {
    (void)info;
    if (argc != 1 || strncmp(argv[0], "counts=", 7) != 0 || map_file(argv[0] + 7) != 0) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
