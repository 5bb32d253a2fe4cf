/* A plugin of QEMU: how often each instruction ran, and after which the next one was another than the
 * one behind it, between the first two calls of a function.
 *
 *     -plugin profile.so,start=ADDRESS,bytes=SIZE,mark=ADDRESS,out=FILE
 *
 * QEMU offers an interface to plugins (docs/devel/tcg-plugins), but Debian has no header of it; what
 * is declared here is what is called.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
enum { NO_REGISTERS = 0, ADD_U64 = 0 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*call)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                          void (*call)(unsigned int, void *), int registers,
                                          void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int operation,
                                                void *counter, uint64_t value);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static uint64_t start, bytes, mark;
static const char *out;
static uint64_t *ran;    /* by half-word of code */
static uint64_t *jumped; /* likewise: the next one was elsewhere */
static uint64_t expected, last;
static unsigned int marks;

/* A block of instructions that follow each other. */
struct block {
    uint64_t first, last, end;
};

static void write_counts(void)
{
    FILE *const file = fopen(out, "w");
    if (file == NULL) {
        perror(out);
        exit(1);
    }
    for (uint64_t i = 0; i < bytes / 2U; ++i) {
        if (ran[i] != 0U) {
            fprintf(file, "%llx %llu %llu\n", (unsigned long long)(start + 2U * i),
                    (unsigned long long)ran[i], (unsigned long long)jumped[i]);
        }
    }
    if (fclose(file) != 0) {
        perror(out);
        exit(1);
    }
}

static void enter(unsigned int cpu, void *data)
{
    const struct block *const block = data;
    (void)cpu;
    if (block->first == mark) {
        ++marks;
        if (marks == 1U) {
            memset(ran, 0, bytes / 2U * sizeof ran[0]);
            memset(jumped, 0, bytes / 2U * sizeof jumped[0]);
        } else if (marks == 2U) {
            write_counts();
        }
    } else if (block->first != expected && last - start < bytes) {
        ++jumped[(last - start) / 2U];
    }
    expected = block->end;
    last = block->last;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const size_t count = qemu_plugin_tb_n_insns(tb);
    struct block *const block = calloc(1U, sizeof *block);
    (void)id;
    if (block == NULL) {
        abort();
    }
    block->first = qemu_plugin_tb_vaddr(tb);
    for (size_t i = 0; i < count; ++i) {
        struct qemu_plugin_insn *const insn = qemu_plugin_tb_get_insn(tb, i);
        const uint64_t address = qemu_plugin_insn_vaddr(insn);
        block->last = address;
        block->end = address + qemu_plugin_insn_size(insn);
        if (address - start < bytes) {
            qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64,
                                                       &ran[(address - start) / 2U], 1U);
        }
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, enter, NO_REGISTERS, block);
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; ++i) {
        char *const value = strchr(argv[i], '=');
        if (value == NULL) {
            return 1;
        }
        *value = '\0';
        if (strcmp(argv[i], "start") == 0) {
            start = strtoull(&value[1], NULL, 0);
        } else if (strcmp(argv[i], "bytes") == 0) {
            bytes = strtoull(&value[1], NULL, 0);
        } else if (strcmp(argv[i], "mark") == 0) {
            mark = strtoull(&value[1], NULL, 0);
        } else if (strcmp(argv[i], "out") == 0) {
            out = strdup(&value[1]);
        } else {
            return 1;
        }
    }
    ran = calloc(bytes / 2U, sizeof ran[0]);
    jumped = calloc(bytes / 2U, sizeof jumped[0]);
    if (ran == NULL || jumped == NULL || out == NULL) {
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return 0;
}
