/* Sums of products and what becomes of them, int8, where all registers of a Cortex-M4 are in use. */
#ifndef TFHRF_OUTPUTS_H_
#define TFHRF_OUTPUTS_H_

#include "tfhrf_weights.h"

#if TFHRF_FOUR && !defined(TFHRF_ANY_SCALE)
#define TFHRF_OUTPUTS 1
#else
#define TFHRF_OUTPUTS 0
#endif

#if TFHRF_FOUR
/*
 * The text of a function of w, x, end and p, which points to words as tfhrf_outputs has them: four
 * rows, from x to `end`, times all weights. The sums of a pair of rows of weights are in r4 to r7
 * and in r8 to r11; the rest is on the stack: w, x, end, p. What p points to is overwritten. `start`
 * finds w in r0, p in r3 and what sums begin with in r4 and r8; `sums` finds w in r0 and leaves r0
 * behind the pair; `part` makes the sums what they are. `finish` ends a sum, given what its scale
 * has; `last` is done to four of them.
 */
#define TFHRF_FOUR_ROWS(start, sums, part, finish, last, store)                                    \
    "push {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                              \
    "3:\n\t"                                                                                       \
    "ldr r12, [r3, #28]\n\t"                                                                       \
    "ldrd r4, r8, [r12], #8\n\t"                                                                   \
    "str r12, [r3, #28]\n\t"                                                                       \
    start sums part                                                                                \
    "str r0, [sp]\n\t"                                                                             \
    "ldr r3, [sp, #12]\n\t"                                                                        \
    "ldr r1, [r3, #16]\n\t"                                                                        \
    "ldm r1, {r0, r2, r12}\n\t"                                                                    \
    finish("r4", "r0", "r2", "r12", "lr") finish("r5", "r0", "r2", "r12", "lr")                    \
    finish("r6", "r0", "r2", "r12", "lr") finish("r7", "r0", "r2", "r12", "lr")                    \
    "ldm r3, {r0, r1, r2, r12, lr}\n\t"                                                            \
    last("4", "r2", "r4", "r5", "r6", "r7")                                                        \
    "add r12, r0, r12\n\t"                                                                         \
    store " r4, [r0]\n\t"                                                                          \
    store " r5, [r0, r1]\n\t"                                                                      \
    "add r0, r0, r1, lsl #1\n\t"                                                                   \
    store " r6, [r0]\n\t"                                                                          \
    store " r7, [r0, r1]\n\t"                                                                      \
    "ldrd r5, r4, [r3, #20]\n\t"                                                                   \
    "add lr, lr, r4\n\t"                                                                           \
    "subs r5, r5, #1\n\t"                                                                          \
    "beq 6f\n\t"                                                                                   \
    "ldm lr, {r4, r6, r7}\n\t"                                                                     \
    finish("r8", "r4", "r6", "r7", "r0") finish("r9", "r4", "r6", "r7", "r0")                      \
    finish("r10", "r4", "r6", "r7", "r0") finish("r11", "r4", "r6", "r7", "r0")                    \
    last("5", "r2", "r8", "r9", "r10", "r11")                                                      \
    store " r8, [r12]\n\t"                                                                         \
    store " r9, [r12, r1]\n\t"                                                                     \
    "add r0, r12, r1, lsl #1\n\t"                                                                  \
    store " r10, [r0]\n\t"                                                                         \
    store " r11, [r0, r1]\n\t"                                                                     \
    "ldr r0, [r3, #12]\n\t"                                                                        \
    "ldr r4, [r3, #24]\n\t"                                                                        \
    "add r12, r12, r0\n\t"                                                                         \
    "add lr, lr, r4\n\t"                                                                           \
    "str r12, [r3]\n\t"                                                                            \
    "subs r5, r5, #1\n\t"                                                                          \
    "strd lr, r5, [r3, #16]\n\t"                                                                   \
    "ldr r0, [sp]\n\t"                                                                             \
    "bne 3b\n\t"                                                                                   \
    "6:\n\t"                                                                                       \
    "pop {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t"

/* Both sums of each row begin alike. */
#define TFHRF_FOUR_BEGIN                                                                           \
    "ldrd r1, r2, [sp, #4]\n\t" "mov r5, r4\n\t"                                                   \
    "mov r6, r4\n\t" "mov r7, r4\n\t"                                                              \
    "mov r9, r8\n\t" "mov r10, r8\n\t"                                                             \
    "mov r11, r8\n\t"

/* The rest of the sums of x up to `end` in r2, two blocks at a time. */
#define TFHRF_FOUR_SUMS(block)                                                                     \
    "sub r2, r2, r1\n\t"                                                                           \
    "tst r2, #32\n\t"                                                                              \
    "bne 2f\n\t"                                                                                   \
    "1:\n\t" block "2:\n\t" block                                                                  \
    "ldr r2, [sp, #8]\n\t"                                                                         \
    "cmp r1, r2\n\t"                                                                               \
    "bne 1b\n\t"

#define TFHRF_FOUR_PLAIN                                                                           \
    TFHRF_FOUR_BEGIN TFHRF_FOUR_SUMS(TFHRF_FOUR_BYTES)

/* Half of a block of two rows at r1, times the bytes in r2 and r3: r4, r5 and r6, r7 are the sums. */
#define TFHRF_TWO_HALF(turn)                                                                       \
    "ldrd r8, r9, [r1], #8\n\t"                                                                    \
    "sxtb16 r12, r2" turn "\n\t"                                                                   \
    "smlad r4, r12, r8, r4\n\t"                                                                    \
    "smlad r5, r12, r9, r5\n\t"                                                                    \
    "sxtb16 r12, r3" turn "\n\t"                                                                   \
    "smlad r6, r12, r8, r6\n\t"                                                                    \
    "smlad r7, r12, r9, r7\n\t"
/* A block, times the bytes that `load` loads. */
#define TFHRF_TWO_BLOCK(load) load TFHRF_TWO_HALF("") TFHRF_TWO_HALF(", ror #8")
/* From the x on the stack to `end`, in r11, two blocks at a time. */
#define TFHRF_TWO_SUMS(start, block)                                                               \
    "ldr r1, [sp, #32]\n\t"                                                                        \
    "sub r12, r11, r1\n\t"                                                                         \
    "tst r12, #16\n\t" start                                                                       \
    "bne 2f\n\t"                                                                                   \
    "1:\n\t" block "2:\n\t" block                                                                  \
    "cmp r1, r11\n\t"                                                                              \
    "bne 1b\n\t"

#define TFHRF_TWO_PLAIN TFHRF_TWO_SUMS("", TFHRF_TWO_BLOCK("ldrd r2, r3, [r0], #8\n\t"))

/*
 * The text of a function of two rows. On the stack are out, next, table, out_step, scale, left,
 * scale_step, bias, x and end; scale, bias and end are free. `start` finds p in r3; `join` what sums
 * begin with in r4 and r6; `sums` finds w in r0 and what `start` left in r11, and leaves r0 behind
 * the pair. The first row is written last: it is the one to keep where both are one.
 */
#define TFHRF_TWO_ROWS(start, join, sums, part, finish, last, store)                               \
    "push {r1, r2, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                                      \
    "ldm r3, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"                                               \
    "push {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"                                                  \
    "mov r10, r11\n\t"                                                                             \
    "mov r11, r2\n\t"                                                                              \
    "mov lr, r8\n\t"                                                                               \
    start                                                                                          \
    "3:\n\t"                                                                                       \
    "ldrd r4, r6, [r10], #8\n\t"                                                                   \
    join                                                                                           \
    "mov r5, r4\n\t"                                                                               \
    "mov r7, r6\n\t"                                                                               \
    sums part                                                                                      \
    "ldr r8, [sp, #24]\n\t"                                                                        \
    "ldm lr, {r2, r3, r12}\n\t"                                                                    \
    finish("r4", "r2", "r3", "r12", "r9") finish("r5", "r2", "r3", "r12", "r9")                    \
    "add lr, lr, r8\n\t"                                                                           \
    "ldm lr, {r2, r3, r12}\n\t"                                                                    \
    finish("r6", "r2", "r3", "r12", "r9") finish("r7", "r2", "r3", "r12", "r9")                    \
    "add lr, lr, r8\n\t"                                                                           \
    "ldm sp, {r1, r2, r3, r8}\n\t"                                                                 \
    last("4", "r3", "r4", "r5", "r6", "r7")                                                        \
    "ldr r9, [sp, #20]\n\t"                                                                        \
    store " r5, [r1, r2]\n\t"                                                                      \
    store " r4, [r1]\n\t"                                                                          \
    "subs r9, r9, #2\n\t"                                                                          \
    "blo 5f\n\t"                                                                                   \
    "add r1, r1, r8\n\t"                                                                           \
    store " r7, [r1, r2]\n\t"                                                                      \
    store " r6, [r1]\n\t"                                                                          \
    "add r1, r1, r8\n\t"                                                                           \
    "str r1, [sp]\n\t"                                                                             \
    "str r9, [sp, #20]\n\t"                                                                        \
    "bne 3b\n\t"                                                                                   \
    "5:\n\t"                                                                                       \
    "add sp, sp, #40\n\t"                                                                          \
    "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t"
#endif

#if TFHRF_OUTPUTS
/* What the functions below read: words, in this order. */
typedef struct {
    int8_t *out;
    ptrdiff_t next; /* from row to row of the output */
    const int8_t *table;
    ptrdiff_t out_step;
    const tfhrf_scale *scale;
    int32_t left;         /* outputs */
    ptrdiff_t scale_step; /* bytes */
    const int32_t *bias;
    /* Of weights in another form; `counts` is moved on, too. */
    const void *more;
    const uint8_t *counts;
} tfhrf_outputs;

/* A sum, scaled and saturated. */
#define TFHRF_FINISH(sum, multiplier, rounding, shift, other)                                      \
    "smmlar " other ", " sum ", " multiplier ", " rounding "\n\t"                                  \
    "add " other ", " other ", " sum ", asr #31\n\t"                                               \
    "asr " sum ", " other ", " shift "\n\t"                                                        \
    "ssat " sum ", #8, " sum "\n\t"

/* Results looked up in a table, if there is one. */
#define TFHRF_LOOK_UP(label, table, a, b, c, d)                                                    \
    "cmp " table ", #0\n\t"                                                                        \
    "beq " label "f\n\t"                                                                           \
    "ldrsb " a ", [" table ", " a "]\n\t"                                                          \
    "ldrsb " b ", [" table ", " b "]\n\t"                                                          \
    "ldrsb " c ", [" table ", " c "]\n\t"                                                          \
    "ldrsb " d ", [" table ", " d "]\n\t" label ":\n\t"

/* A function of rows, from x to `end`, times all weights. */
#define TFHRF_OUTPUTS_FUNCTION(name)                                                               \
    static __attribute__((naked, noinline, unused)) void name(                                     \
        const int8_t *w __attribute__((unused)), const tfhrf_pair *x __attribute__((unused)),      \
        const tfhrf_pair *end __attribute__((unused)), tfhrf_outputs *p __attribute__((unused)))

#if TFHRF_JOINT
/* Half of a block of four rows: both sums of two rows at a time. */
#define TFHRF_FOUR_JOINT                                                                           \
    "ldr r2, [r0], #4\n\t"                                                                         \
    "ldrd r12, lr, [r1], #8\n\t"                                                                   \
    "sxtb16 r3, r2\n\t" TFHRF_FOUR_PRODUCTS

/* The first half of the first block of a row: sums begin. */
#define TFHRF_FOUR_FIRST                                                                           \
    "ldr r1, [sp, #4]\n\t"                                                                         \
    "ldr r2, [r0], #4\n\t"                                                                         \
    "sxtb16 r3, r2\n\t"                                                                            \
    "ldrd r12, lr, [r1, #8]\n\t"                                                                   \
    "smlad r6, r2, r12, r4\n\t"                                                                    \
    "smlad r7, r2, lr, r4\n\t"                                                                     \
    "smlad r10, r3, r12, r8\n\t"                                                                   \
    "smlad r11, r3, lr, r8\n\t"                                                                    \
    "ldrd r12, lr, [r1], #16\n\t"                                                                  \
    "smlad r5, r2, lr, r4\n\t"                                                                     \
    "smlad r4, r2, r12, r4\n\t"                                                                    \
    "smlad r9, r3, lr, r8\n\t"                                                                     \
    "smlad r8, r3, r12, r8\n\t"

#define TFHRF_FOUR_BLOCK TFHRF_FOUR_JOINT TFHRF_FOUR_JOINT
#define TFHRF_FOUR_ALL                                                                             \
    TFHRF_FOUR_FIRST TFHRF_FOUR_JOINT                                                              \
    "ldr r2, [sp, #8]\n\t"                                                                         \
    "cmp r1, r2\n\t"                                                                               \
    "beq 7f\n\t" TFHRF_FOUR_SUMS(TFHRF_FOUR_BLOCK) "7:\n\t"
#define TFHRF_FOUR_JOIN "add r4, r8, r4, lsl #8\n\t"
#define TFHRF_FOUR_PART                                                                            \
    "sub r4, r4, r8\n\t" "sub r5, r5, r9\n\t"                                                      \
    "sub r6, r6, r10\n\t" "sub r7, r7, r11\n\t"                                                    \
    "asr r4, r4, #8\n\t" "asr r5, r5, #8\n\t"                                                      \
    "asr r6, r6, #8\n\t" "asr r7, r7, #8\n\t"

/* A block of two rows. */
#define TFHRF_TWO_JOINT                                                                            \
    "ldrd r2, r3, [r0], #8\n\t"                                                                    \
    "ldrd r8, r9, [r1], #8\n\t"                                                                    \
    "smlad r4, r2, r8, r4\n\t"                                                                     \
    "smlad r5, r2, r9, r5\n\t"                                                                     \
    "sxtb16 r2, r2\n\t"                                                                            \
    "smlad r6, r2, r8, r6\n\t"                                                                     \
    "smlad r7, r2, r9, r7\n\t"                                                                     \
    "ldrd r8, r9, [r1], #8\n\t"                                                                    \
    "smlad r4, r3, r8, r4\n\t"                                                                     \
    "smlad r5, r3, r9, r5\n\t"                                                                     \
    "sxtb16 r3, r3\n\t"                                                                            \
    "smlad r6, r3, r8, r6\n\t"                                                                     \
    "smlad r7, r3, r9, r7\n\t"
#define TFHRF_TWO_JOIN "add r4, r6, r4, lsl #8\n\t"
#define TFHRF_TWO_PART                                                                             \
    "sub r4, r4, r6\n\t" "sub r5, r5, r7\n\t"                                                      \
    "asr r4, r4, #8\n\t" "asr r5, r5, #8\n\t"
#else
#define TFHRF_FOUR_BLOCK TFHRF_FOUR_BYTES
#define TFHRF_FOUR_ALL TFHRF_FOUR_PLAIN
#define TFHRF_FOUR_JOIN ""
#define TFHRF_FOUR_PART ""
#define TFHRF_TWO_JOINT TFHRF_TWO_BLOCK("ldrd r2, r3, [r0], #8\n\t")
#define TFHRF_TWO_JOIN ""
#define TFHRF_TWO_PART ""
#endif

#define TFHRF_FOUR_OUTPUTS(start, sums, part)                                                      \
    TFHRF_FOUR_ROWS(start, sums, part, TFHRF_FINISH, TFHRF_LOOK_UP, "strb")
#define TFHRF_TWO_OUTPUTS(start, join, sums, part)                                                 \
    TFHRF_TWO_ROWS(start, join, sums, part, TFHRF_FINISH, TFHRF_LOOK_UP, "strb")

TFHRF_OUTPUTS_FUNCTION(tfhrf_four_outputs)
{
    __asm__ volatile(TFHRF_FOUR_OUTPUTS(TFHRF_FOUR_JOIN, TFHRF_FOUR_ALL, TFHRF_FOUR_PART));
}

TFHRF_OUTPUTS_FUNCTION(tfhrf_two_outputs)
{
    __asm__ volatile(TFHRF_TWO_OUTPUTS("", TFHRF_TWO_JOIN, TFHRF_TWO_SUMS("", TFHRF_TWO_JOINT),
                                       TFHRF_TWO_PART));
}

/* What tfhrf_two_products reads: words, in this order. */
typedef struct {
    int32_t start[2]; /* of the sums of both rows x */
    int32_t multiplier;
    int32_t rounding;
    int32_t shift;
    ptrdiff_t next; /* from row to row of the output */
    const int8_t *table;
    ptrdiff_t out_step;
    const tfhrf_pair *x;
    int32_t left;   /* rows of bytes, an even number */
    ptrdiff_t back; /* from the end of a row of bytes to the next row */
} tfhrf_products;

/* Two rows, from p->x to `end`, times rows of bytes, `stride` apart. */
static __attribute__((naked, noinline, unused)) void
tfhrf_two_products(const int8_t *bytes __attribute__((unused)),
                   ptrdiff_t stride __attribute__((unused)),
                   const tfhrf_pair *end __attribute__((unused)),
                   const tfhrf_products *p __attribute__((unused)),
                   int8_t *out __attribute__((unused)))
{
#define TFHRF_FINISH_ONE(sum) TFHRF_FINISH(sum, "r8", "r9", "r2", "r3")
    /* The stride is in lr, the second of two rows of bytes in r10. */
    __asm__ volatile("ldr r12, [sp]\n\t"
                     "push {r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n\t"
                     "mov lr, r1\n\t"
                     "ldm r3, {r4, r5, r6, r7, r8, r9, r10, r11, r12}\n\t"
                     "ldrd r1, r3, [r3, #36]\n\t"
                     "push {r1, r3}\n\t"
                     "push {r4, r5, r6, r7, r8, r9, r10, r11, r12}\n\t"
                     "mov r11, r2\n\t"
                     "3:\n\t"
                     "ldrd r4, r5, [sp]\n\t"
                     "add r10, r0, lr\n\t"
                     "mov r6, r4\n\t"
                     "mov r7, r5\n\t" TFHRF_TWO_SUMS("", TFHRF_TWO_BLOCK("ldr r2, [r0], #4\n\t"
                                                                         "ldr r3, [r10], #4\n\t"))
                     "ldrd r8, r9, [sp, #8]\n\t"
                     "ldr r2, [sp, #16]\n\t" TFHRF_FINISH_ONE("r4") TFHRF_FINISH_ONE("r5")
                     TFHRF_FINISH_ONE("r6") TFHRF_FINISH_ONE("r7")
                     "ldrd r8, r9, [sp, #20]\n\t" TFHRF_LOOK_UP("4", "r9", "r4", "r5", "r6", "r7")
                     "ldrd r12, r2, [sp, #36]\n\t"
                     "ldr r1, [sp, #76]\n\t"
                     "ldr r3, [sp, #28]\n\t"
                     "add r0, r10, r2\n\t"
                     "strb r5, [r1, r8]\n\t"
                     "strb r4, [r1]\n\t"
                     "add r1, r1, r3\n\t"
                     "subs r12, r12, #2\n\t"
                     "strb r7, [r1, r8]\n\t"
                     "strb r6, [r1]\n\t"
                     "add r1, r1, r3\n\t"
                     "str r12, [sp, #36]\n\t"
                     "str r1, [sp, #76]\n\t"
                     "bne 3b\n\t"
                     "add sp, sp, #44\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, r12, pc}\n\t");
#undef TFHRF_FINISH_ONE
}
#endif

#endif
