/* Sound from a digital microphone at I2S, such as INMP441: its left channel, 32 bits wide. */
#include "audio_provider.h"

#include "driver/gpio.h"
#include "driver/i2s_std.h"
#include "frontend.h"

/* Yours. */
#define PIN_CLOCK GPIO_NUM_4
#define PIN_WORD_SELECT GPIO_NUM_5
#define PIN_DATA GPIO_NUM_6

#define BLOCK 512U
#define BLOCKS 24U /* three quarters of a second at 16 kHz: longer than a window takes the model */

static i2s_chan_handle_t microphone;
static int32_t words[BLOCK];
static int16_t block[BLOCK];

bool audio_start(void)
{
    i2s_chan_config_t channel = I2S_CHANNEL_DEFAULT_CONFIG(I2S_NUM_AUTO, I2S_ROLE_MASTER);
    i2s_std_config_t standard = {
        .clk_cfg = I2S_STD_CLK_DEFAULT_CONFIG(FRONTEND_SAMPLE_RATE),
        .slot_cfg =
            I2S_STD_PHILIPS_SLOT_DEFAULT_CONFIG(I2S_DATA_BIT_WIDTH_32BIT, I2S_SLOT_MODE_MONO),
        .gpio_cfg =
            {
                .mclk = I2S_GPIO_UNUSED,
                .bclk = PIN_CLOCK,
                .ws = PIN_WORD_SELECT,
                .dout = I2S_GPIO_UNUSED,
                .din = PIN_DATA,
            },
    };
    channel.dma_desc_num = BLOCKS;
    channel.dma_frame_num = BLOCK;
    return i2s_new_channel(&channel, NULL, &microphone) == ESP_OK &&
           i2s_channel_init_std_mode(microphone, &standard) == ESP_OK &&
           i2s_channel_enable(microphone) == ESP_OK;
}

audio_status_t audio_read(const int16_t **samples, size_t *count)
{
    size_t bytes = 0U;
    audio_status_t status = AUDIO_NOTHING_YET;
    /* Does not wait; a timeout may still leave some samples. */
    (void)i2s_channel_read(microphone, words, sizeof words, &bytes, 0);
    if (bytes >= sizeof words[0]) {
        *count = bytes / sizeof words[0];
        for (size_t i = 0U; i < *count; ++i) {
            block[i] = (int16_t)(words[i] >> 16);
        }
        *samples = block;
        status = AUDIO_SAMPLES;
    }
    return status;
}
