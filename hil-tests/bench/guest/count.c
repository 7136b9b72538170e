/*
 * A plug-in for QEMU's user mode: counts the instructions that a process executes, in all its threads, and writes their
 * number to a file when it exits. Use: -plugin count.so,out=FILE
 *
 * The declarations are those of QEMU's plug-in interface, version 1 ("TCG Plugins" in its developer documentation).
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t plugin_id;
struct block;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct block *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct block *, void (*)(unsigned, void *), int flags, void *);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct block *);

enum { NO_REGISTERS = 0, THREADS = 1024 };

int qemu_plugin_version = 1;

/* By thread, so that none waits for another; a cache line each. */
static struct {
    _Alignas(64) uint64_t instructions;
} counts[THREADS];
static char out[4096];

static void executed(unsigned thread, void *instructions)
{
    counts[thread % THREADS].instructions += (uintptr_t)instructions;
}

static void translated(plugin_id id, struct block *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, NO_REGISTERS, (void *)qemu_plugin_tb_n_insns(block));
}

static void exited(plugin_id id, void *data)
{
    uint64_t sum = 0;
    FILE *file = fopen(out, "w");
    (void)id, (void)data;
    for (unsigned thread = 0; thread < THREADS; thread++)
        sum += counts[thread].instructions;
    if (!file || fprintf(file, "%" PRIu64 "\n", sum) < 0 || fclose(file))
        perror(out);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) || strlen(argv[0]) >= sizeof out) {
        fputs("count.so wants out=FILE\n", stderr);
        return 1;
    }
    strcpy(out, argv[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, exited, NULL);
    return 0;
}
