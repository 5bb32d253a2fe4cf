/* Sums of products and what becomes of them, int8, where vectors take all registers. */
#ifndef TFHRF_VECTORS_H_
#define TFHRF_VECTORS_H_

#include "tfhrf_common.h"

#if TFHRF_VECTORS
/* Sums in registers as lanes of q0 and q1. */
#define TFHRF_SUMS_TO_VECTORS                                                                      \
    "vmov q0[2], q0[0], r0, r4\n\t"                                                                \
    "vmov q0[3], q0[1], r2, r6\n\t"                                                                \
    "vmov q1[2], q1[0], r8, r12\n\t"                                                               \
    "vmov q1[3], q1[1], r10, lr\n\t"

/* Four sums in `q`, `scaled` how often they are taken, without zero point; q6 is overwritten. */
#define TFHRF_VECTOR_FINISH(q, scaled, shift)                                                      \
    scaled "vshr.s32 q6, " q ", #31\n\t"                                                           \
           "vadd.i32 " q ", " q ", q6\n\t"                                                         \
           "vrshl.s32 " shift "\n\t"

/*
 * q0 and q1 plus zero points, in 16 bits, as bytes lane by lane in turns, looked up in a table if
 * there is one, written and counted; the end of a function whose loop is 3.
 */
#define TFHRF_VECTOR_STORE(zero_points)                                                            \
    "ldrd r1, r9, [r11, #32]\n\t"                                                                  \
    "ldrd r7, r5, [r11, #40]\n\t"                                                                  \
    "vqmovnb.s32 q0, q0\n\t"                                                                       \
    "vqmovnt.s32 q0, q1\n\t"                                                                       \
    "vldrw.u32 q1, [r11, #52]\n\t"                                                                 \
    "vqadd.s16 q0, q0, " zero_points "\n\t"                                                        \
    "vqmovnb.s16 q0, q0\n\t"                                                                       \
    "cbz r5, 5f\n\t"                                                                               \
    "mov r3, #128\n\t"                                                                             \
    "vmovlb.s8 q0, q0\n\t"                                                                         \
    "sub r5, r5, r3\n\t"                                                                           \
    "vadd.i16 q0, q0, r3\n\t"                                                                      \
    "vldrb.u16 q2, [r5, q0]\n\t"                                                                   \
    "vmov q0, q2\n\t"                                                                              \
    "5:\n\t"                                                                                       \
    "vstrb.16 q0, [r1, q1]\n\t"                                                                    \
    "add r1, r1, r7\n\t"                                                                           \
    "subs r9, r9, #4\n\t"                                                                          \
    "strd r1, r9, [r11, #32]\n\t"                                                                  \
    "bne 3b\n\t"                                                                                   \
    "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"

/* Where two by four outputs go: those of one row `step` apart, of the other `next` behind them. */
typedef struct {
    uint16_t at[8];
} tfhrf_places;

TFHRF_INLINE tfhrf_places tfhrf_places_of(ptrdiff_t next, ptrdiff_t step)
{
    tfhrf_places places;
    for (ptrdiff_t i = 0; i < 4; ++i) {
        places.at[2 * i] = (uint16_t)(i * step);
        places.at[2 * i + 1] = (uint16_t)(i * step + next);
    }
    return places;
}

/* Whether these are numbers of 16 bits. */
TFHRF_INLINE int32_t tfhrf_are_near(ptrdiff_t next, ptrdiff_t step)
{
    return next >= 0 && step >= 0 && next <= 0x7fff && step <= 0x2000 ? 1 : 0;
}

/* What tfhrf_vector_outputs reads and moves on: words, in this order. */
typedef struct {
    const int8_t *weights[2]; /* two pairs of rows, one behind the other */
    const int8_t *x[2];
    int32_t more;  /* blocks of sixteen after the first; -1 if there is none */
    uint32_t rest; /* elements after those */
    const int32_t *bias;
    uint32_t scale_step; /* bytes, from one four of outputs to the next */
    int8_t *out;
    int32_t left;       /* outputs, a multiple of four */
    ptrdiff_t out_step; /* of four outputs */
    const int8_t *table;
    int32_t unused; /* where tfhrf_eight_products has a zero point */
    tfhrf_places places;
    uint32_t scales[4]; /* addresses */
    ptrdiff_t width;    /* of a pair of rows of weights */
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
        "ldm r11, {r1, r3, r5, r7, r9}\n\t"
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
        /* Of the last block there are fours of elements. */
        "rsb r9, r9, #16\n\t"
        "bic r9, r9, #3\n\t"
        "sub r1, r1, r9, lsl #1\n\t"
        "sub r3, r3, r9, lsl #1\n\t"
        "4:\n\t" TFHRF_SUMS_TO_VECTORS
        "sub r1, r3, r1\n\t"
        "add r1, r3, r1\n\t"
        "strd r3, r1, [r11]\n\t"
        "ldrd r1, r9, [r11, #24]\n\t"
        "vldrw.u32 q2, [r1], #16\n\t"
        "str r1, [r11, #24]\n\t"
        "vshr.s32 q2, q2, #1\n\t"
        "vadd.i32 q0, q0, q2\n\t"
        "vadd.i32 q1, q1, q2\n\t"
        /* A shift and, in the upper half, a zero point. */
        "vldrw.u32 q5, [q7, #12]\n\t"
        "vldrw.u32 q3, [q7]\n\t"
        "vadd.i32 q7, q7, r9\n\t"
        TFHRF_VECTOR_FINISH("q0", "vqrdmulh.s32 q0, q0, q3\n\t", "q0, q0, q5")
        TFHRF_VECTOR_FINISH("q1", "vqrdmulh.s32 q1, q1, q3\n\t", "q1, q1, q5")
        "vsri.32 q5, q5, #16\n\t" TFHRF_VECTOR_STORE("q5")
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
    uint32_t rest;    /* elements after the blocks */
    int32_t shift;    /* to the left */
    int8_t *out;
    int32_t left;       /* rows of bytes, a multiple of four */
    ptrdiff_t out_step; /* of four outputs */
    const int8_t *table;
    int32_t zero_point; /* of the output */
    tfhrf_places places;
    int32_t multiplier[4]; /* the same */
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
                     "ldr r9, [r11, #24]\n\t"
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
                     "ldr r11, [r11, #24]\n\t"
                     "cmp r11, #0\n\t"
                     "beq 4f\n\t" TFHRF_EIGHT("vpstttt\n\t", "vldrbt", "")
                     "4:\n\t"
                     "ldr r11, [sp, #64]\n\t" TFHRF_SUMS_TO_VECTORS
                     "ldr r3, [r11, #28]\n\t"
                     TFHRF_VECTOR_FINISH("q0", "vrmulh.s32 q0, q0, q7\n\t", "q0, r3")
                     TFHRF_VECTOR_FINISH("q1", "vrmulh.s32 q1, q1, q7\n\t", "q1, r3")
             "ldr r3, [r11, #48]\n\t" TFHRF_VECTOR_STORE("r3")
                     "pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t");
#undef TFHRF_EIGHT
}
#endif

#endif
