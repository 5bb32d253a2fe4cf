/* What the program and the page's script call of each other. */
#ifndef PAGE_H_
#define PAGE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "responder.h"

#define PAGE_CALLED(name) __attribute__((import_module("page"), import_name(name)))
#define PAGE_CALLS(name) __attribute__((export_name(name)))

/* Where samples go before page_take. */
#define PAGE_SAMPLES 4096U

/* The script's. Positions count samples from the beginning of the sound; milliseconds are those of
 * any clock. */
PAGE_CALLED("now") double page_now(void);
PAGE_CALLED("frame") void page_frame(const int8_t *levels);
PAGE_CALLED("begin") void page_begin(uint32_t start);
PAGE_CALLED("window")
void page_window(const int8_t *levels, const int8_t *logits, const uint32_t *posterior);
PAGE_CALLED("answer")
void page_answer(uint32_t start, uint32_t end, uint32_t windows, const uint32_t *posterior,
                 double frontend_ms, double model_ms);
PAGE_CALLED("failure") void page_failure(const char *what);

/* The program's. */
PAGE_CALLS("setup") void page_setup(void);
PAGE_CALLS("samples") int16_t *page_samples(void);
PAGE_CALLS("take") void page_take(uint32_t count); /* at most PAGE_SAMPLES */
PAGE_CALLS("end") void page_end(void);             /* of the sound; another one may follow */

/* The utterance that was heard last, and whether nothing more can be. */
void page_utterance(uint32_t *start, uint32_t *end);
void page_stop(void);

#endif
