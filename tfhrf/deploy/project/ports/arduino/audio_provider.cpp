// Sound from the microphone of a Nano 33 BLE Sense or a Nano RP2040 Connect, by their library PDM.
#include "src/audio_provider.h"

#include <PDM.h>

#include "src/frontend.h"

#if FRONTEND_SAMPLE_RATE != 16000
#error "PDM gives 16000 samples a second; the model was trained with another rate"
#endif

namespace {

constexpr uint32_t kBlock = 256;   // samples, as many as PDM gives at a time
constexpr uint32_t kBlocks = 64;   // a second: longer than a window takes the model

int16_t blocks[kBlocks][kBlock];
uint32_t sizes[kBlocks];  // samples in each
volatile uint32_t filled = 0;
uint32_t taken = 0;

// Called by an interrupt.
void TakeBlock() {
  const uint32_t place = filled % kBlocks;
  sizes[place] = PDM.read(blocks[place], sizeof blocks[place]) / sizeof blocks[place][0];
  filled = filled + 1;
}

}  // namespace

bool audio_start(void) {
  PDM.onReceive(TakeBlock);
  return PDM.begin(1, FRONTEND_SAMPLE_RATE) != 0;
}

audio_status_t audio_read(const int16_t **samples, size_t *count) {
  if (taken == filled) {
    return AUDIO_NOTHING_YET;
  }
  *samples = blocks[taken % kBlocks];
  *count = sizes[taken % kBlocks];
  ++taken;
  return AUDIO_SAMPLES;
}
