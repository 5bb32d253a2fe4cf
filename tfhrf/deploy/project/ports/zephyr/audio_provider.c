/* Sound from a digital microphone, whose label in the devicetree is dmic_dev. */
#include <zephyr/audio/dmic.h>
#include <zephyr/kernel.h>

#include "audio_provider.h"
#include "frontend.h"

#define BLOCK (FRONTEND_SAMPLE_RATE / 50) /* 20 ms */
#define BLOCKS 50U                        /* a second: longer than a window takes the model */

K_MEM_SLAB_DEFINE_STATIC(blocks, BLOCK * sizeof(int16_t), BLOCKS, 4);
static const struct device *const microphone = DEVICE_DT_GET(DT_NODELABEL(dmic_dev));
static void *block;

bool audio_start(void)
{
    struct pcm_stream_cfg stream = {
        .pcm_rate = FRONTEND_SAMPLE_RATE,
        .pcm_width = 16,
        .block_size = BLOCK * sizeof(int16_t),
        .mem_slab = &blocks,
    };
    struct dmic_cfg configuration = {
        .io = {
            .min_pdm_clk_freq = 1000000,
            .max_pdm_clk_freq = 3500000,
            .min_pdm_clk_dc = 40,
            .max_pdm_clk_dc = 60,
        },
        .streams = &stream,
        .channel = {
            .req_num_streams = 1,
            .req_num_chan = 1,
            .req_chan_map_lo = dmic_build_channel_map(0, 0, PDM_CHAN_LEFT),
        },
    };
    return device_is_ready(microphone) && dmic_configure(microphone, &configuration) == 0 &&
           dmic_trigger(microphone, DMIC_TRIGGER_START) == 0;
}

audio_status_t audio_read(const int16_t **samples, size_t *count)
{
    size_t bytes = 0U;
    if (block != NULL) {
        k_mem_slab_free(&blocks, block);
        block = NULL;
    }
    if (dmic_read(microphone, 0, &block, &bytes, 0) != 0) {
        block = NULL;
        return AUDIO_NOTHING_YET;
    }
    *samples = block;
    *count = bytes / sizeof(int16_t);
    return AUDIO_SAMPLES;
}
