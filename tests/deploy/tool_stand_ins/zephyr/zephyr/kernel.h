/* Stands in for Zephyr's header: what the example uses of it. */
#ifndef KERNEL_H_
#define KERNEL_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device {
    const char *name;
};
extern const struct device dmic_dev;
#define DT_NODELABEL(label) label
#define DEVICE_DT_GET(node) (&(node))
bool device_is_ready(const struct device *device);

struct k_mem_slab {
    size_t block_size;
    uint32_t blocks;
    uint32_t align;
};
#define K_MEM_SLAB_DEFINE_STATIC(name, size, count, align) \
    static struct k_mem_slab name = {size, count, align}
void k_mem_slab_free(struct k_mem_slab *slab, void *block);

int64_t k_uptime_ticks(void);
__attribute__((format(printf, 1, 2))) void printk(const char *format, ...);

#endif
