/* Sums of products and what becomes of them, int8, where vectors take all registers. */
#ifndef TFHRF_VECTORS_H_
#define TFHRF_VECTORS_H_

#include "tfhrf_common.h"

#if TFHRF_VECTORS && defined(__GNUC__)
#define TFHRF_VECTOR_OUTPUTS 1
#else
#define TFHRF_VECTOR_OUTPUTS 0
#endif

#if TFHRF_VECTOR_OUTPUTS
/* Sums in registers as lanes of q0 and q1. */
#define TFHRF_SUMS_TO_VECTORS                                                                      \
    "vmov q0[2], q0[0], r0, r4\n\t"                                                                \
    "vmov q0[3], q0[1], r2, r6\n\t"                                                                \
    "vmov q1[2], q1[0], r8, r12\n\t"                                                               \
    "vmov q1[3], q1[1], r10, lr\n\t"

/* Four sums in `q`, `scaled` how often they are taken, to bytes in `to`; q6 is overwritten. */
#define TFHRF_VECTOR_FINISH(q, scaled, rounding, shift, to)                                        \
    scaled "vshr.s32 q6, " q ", #31\n\t"                                                           \
    "vadd.i32 " q ", " q ", q6\n\t"                                                                \
    "vadd.i32 " q ", " q ", " rounding "\n\t"                                                      \
    "vshl.s32 " shift "\n\t"                                                                \
    "vqmovnb.s32 " q ", " q "\n\t"                                                                 \
    "vqmovnb.s16 " to ", " q "\n\t"

/* Bytes in q2 and q3 looked up in a table at r5, if there is one. */
#define TFHRF_VECTOR_LOOK_UP(label)                                                                \
    "cmp r5, #0\n\t"                                                                               \
    "beq " label "f\n\t"                                                                           \
    "vmovlb.s8 q0, q2\n\t"                                                                         \
    "vmovlb.s8 q1, q3\n\t"                                                                         \
    "vmovlb.s16 q0, q0\n\t"                                                                        \
    "vmovlb.s16 q1, q1\n\t"                                                                        \
    "vldrb.s32 q2, [r5, q0]\n\t"                                                                   \
    "vldrb.s32 q3, [r5, q1]\n\t" label ":\n\t"

/* Looks up, writes and counts the results in q2 and q3; the end of a function whose loop is 3. */
#define TFHRF_VECTOR_STORE                                                                         \
    "ldrd r1, r9, [r11, #32]\n\t"                                                                  \
    "ldrd r3, r5, [r11, #40]\n\t" TFHRF_VECTOR_LOOK_UP("5")                                        \
    "vldrw.u32 q0, [r11, #52]\n\t"                                                                 \
    "ldr r7, [r11, #48]\n\t"                                                                       \
    "add r5, r1, r3\n\t"                                                                           \
    "vstrb.32 q3, [r5, q0]\n\t"                                                                    \
    "vstrb.32 q2, [r1, q0]\n\t"                                                                    \
    "add r1, r1, r7\n\t"                                                                           \
    "subs r9, r9, #4\n\t"                                                                          \
    "strd r1, r9, [r11, #32]\n\t"                                                                  \
    "bne 3b\n\t"                                                                                   \
    "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"

/* What tfhrf_vector_outputs reads and moves on: words, in this order. */
typedef struct {
    const int8_t *weights;
    ptrdiff_t width; /* of a pair of rows of weights */
    const int8_t *x[2];
    int32_t more;  /* blocks of sixteen after the first; -1 if there is none */
    uint32_t rest; /* elements after those */
    const int32_t *bias;
    uint32_t scale_step; /* bytes, from one four of outputs to the next */
    int8_t *out;
    int32_t left;   /* outputs, a multiple of four */
    ptrdiff_t next; /* from row to row of the output */
    const int8_t *table;
    ptrdiff_t out_step; /* of four outputs */
    uint32_t places[4]; /* of four outputs */
    uint32_t scales[4]; /* addresses */
} tfhrf_eight;

/*
 * Two rows of bytes times weights: eight sums at a time, of the first row in
 * r0, r2, r4, r6, of the second in r8, r10, r12, lr.
 */
static __attribute__((naked, noinline, unused)) void
tfhrf_vector_outputs(tfhrf_eight *p __attribute__((unused)))
{
#define TFHRF_SIXTEEN(add, lanes, load, move)                                                      \
    "vld20.32 {q0, q1}, [r1]\n\t"                                                                  \
    "vld21.32 {q0, q1}, [r1]!\n\t"                                                                 \
    "vld20.32 {q2, q3}, [r3]\n\t"                                                                  \
    "vld21.32 {q2, q3}, [r3]!\n\t" lanes load ".u8 q4, [r5]" move "\n\t" load ".u8 q5, [r7]" move   \
    "\n\t" add ".s8 r0, q0, q4\n\t" add ".s8 r2, q1, q4\n\t" add ".s8 r4, q2, q4\n\t" add           \
    ".s8 r6, q3, q4\n\t" add ".s8 r8, q0, q5\n\t" add ".s8 r10, q1, q5\n\t" add                      \
    ".s8 r12, q2, q5\n\t" add ".s8 lr, q3, q5\n\t"
    __asm__ volatile(
        "push {r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n\t"
        "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
        "mov r11, r0\n\t"
        "vldrw.u32 q7, [r11, #68]\n\t"
        "3:\n\t"
        "ldrd r1, r9, [r11]\n\t"
        "add r3, r1, r9\n\t"
        "add r9, r3, r9\n\t"
        "str r9, [r11]\n\t"
        "ldrd r5, r7, [r11, #8]\n\t"
        "ldr r9, [r11, #16]\n\t"
        "cmp r9, #0\n\t"
        "blt 6f\n\t" TFHRF_SIXTEEN("vmladav", "", "vldrb", ", #16")
        "beq 2f\n\t"
        "1:\n\t" TFHRF_SIXTEEN("vmladava", "", "vldrb", ", #16")
        "subs r9, r9, #1\n\t"
        "bne 1b\n\t"
        "2:\n\t"
        "ldr r9, [r11, #20]\n\t"
        "cmp r9, #0\n\t"
        "beq 4f\n\t"
        "vctp.8 r9\n\t" TFHRF_SIXTEEN("vmladava", "vpstt\n\t", "vldrbt", "")
        "4:\n\t" TFHRF_SUMS_TO_VECTORS
        "ldrd r1, r9, [r11, #24]\n\t"
        "vldrw.u32 q2, [r1], #16\n\t"
        "str r1, [r11, #24]\n\t"
        "vshr.s32 q2, q2, #1\n\t"
        "vadd.i32 q0, q0, q2\n\t"
        "vadd.i32 q1, q1, q2\n\t"
        "vldrw.u32 q5, [q7, #8]\n\t"
        "vldrw.u32 q3, [q7]\n\t"
        "vldrw.u32 q4, [q7, #4]\n\t"
        "vneg.s32 q5, q5\n\t"
        "vadd.i32 q7, q7, r9\n\t"
        TFHRF_VECTOR_FINISH("q0", "vqrdmulh.s32 q0, q0, q3\n\t", "q4", "q0, q0, q5", "q2")
        TFHRF_VECTOR_FINISH("q1", "vqrdmulh.s32 q1, q1, q3\n\t", "q4", "q1, q1, q5", "q3")
        TFHRF_VECTOR_STORE
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, r12, pc}\n\t"
        "6:\n\t"
        "mov r0, #0\n\t"
        "mov r2, r0\n\t"
        "mov r4, r0\n\t"
        "mov r6, r0\n\t"
        "mov r8, r0\n\t"
        "mov r10, r0\n\t"
        "mov r12, r0\n\t"
        "mov lr, r0\n\t"
        "b 2b\n\t");
#undef TFHRF_SIXTEEN
}

/* What tfhrf_vector_products reads and moves on: words, in this order. */
typedef struct {
    const int8_t *bytes;
    ptrdiff_t stride; /* from row to row of bytes */
    const void *x;    /* two rows of 16 bits, eight of each in turns */
    int32_t more;     /* blocks of eight */
    int32_t start[2]; /* of the sums of both rows */
    int32_t rounding;
    int32_t shift; /* to the left */
    int8_t *out;
    int32_t left;   /* rows of bytes, a multiple of four */
    ptrdiff_t next; /* from row to row of the output */
    const int8_t *table;
    ptrdiff_t out_step;    /* of four outputs */
    uint32_t places[4];    /* of four outputs */
    int32_t multiplier[4]; /* the same */
    uint32_t rest;         /* elements after the blocks */
} tfhrf_eight_products;

/* Two rows, taken TFHRF_TWICE, times rows of bytes: eight sums at a time, as above. */
static __attribute__((naked, noinline, unused)) void
tfhrf_vector_products(tfhrf_eight_products *p __attribute__((unused)))
{
#define TFHRF_EIGHT(lanes, load, move)                                                             \
    "vldrh.u16 q4, [r9], #16\n\t"                                                                  \
    "vldrh.u16 q5, [r9], #16\n\t" lanes load ".s16 q0, [r1]" move "\n\t" load ".s16 q1, [r3]" move  \
    "\n\t" load ".s16 q2, [r5]" move "\n\t" load ".s16 q3, [r7]" move "\n\t"                       \
    "vmladava.s16 r0, q0, q4\n\t"                                                                  \
    "vmladava.s16 r2, q1, q4\n\t"                                                                  \
    "vmladava.s16 r4, q2, q4\n\t"                                                                  \
    "vmladava.s16 r6, q3, q4\n\t"                                                                  \
    "vmladava.s16 r8, q0, q5\n\t"                                                                  \
    "vmladava.s16 r10, q1, q5\n\t"                                                                 \
    "vmladava.s16 r12, q2, q5\n\t"                                                                 \
    "vmladava.s16 lr, q3, q5\n\t"
    __asm__ volatile("push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     "mov r11, r0\n\t"
                     "vldrw.u32 q7, [r11, #68]\n\t"
                     "ldr r9, [r11, #84]\n\t"
                     "vctp.16 r9\n\t"
                     "3:\n\t"
                     "ldrd r1, r9, [r11]\n\t"
                     "add r3, r1, r9\n\t"
                     "add r5, r3, r9\n\t"
                     "add r7, r5, r9\n\t"
                     "add r9, r7, r9\n\t"
                     "str r9, [r11]\n\t"
                     "ldrd r0, r8, [r11, #16]\n\t"
                     "mov r2, r0\n\t"
                     "mov r4, r0\n\t"
                     "mov r6, r0\n\t"
                     "mov r10, r8\n\t"
                     "mov r12, r8\n\t"
                     "mov lr, r8\n\t"
                     "ldrd r9, r11, [r11, #8]\n\t"
                     "cmp r11, #0\n\t"
                     "beq 2f\n\t"
                     "1:\n\t" TFHRF_EIGHT("", "vldrb", ", #8")
                     "subs r11, r11, #1\n\t"
                     "bne 1b\n\t"
                     "2:\n\t"
                     "ldr r11, [sp, #64]\n\t"
                     "ldr r11, [r11, #84]\n\t"
                     "cmp r11, #0\n\t"
                     "beq 4f\n\t" TFHRF_EIGHT("vpstttt\n\t", "vldrbt", "")
                     "4:\n\t"
                     "ldr r11, [sp, #64]\n\t" TFHRF_SUMS_TO_VECTORS
                     "ldrd r1, r3, [r11, #24]\n\t"
                     TFHRF_VECTOR_FINISH("q0", "vrmulh.s32 q0, q0, q7\n\t", "r1", "q0, r3", "q2")
                     TFHRF_VECTOR_FINISH("q1", "vrmulh.s32 q1, q1, q7\n\t", "r1", "q1, r3", "q3")
                     TFHRF_VECTOR_STORE
                     "pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t");
#undef TFHRF_EIGHT
}
#endif

#endif
