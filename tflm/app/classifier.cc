// The model in TensorFlow Lite Micro, in place of standalone/classifier.c.
#include "classifier.h"

#include <cstring>

#include "emotion_golden.h"
#include "emotion_model.h"
#include "emotion_ops.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace emotion = tfhrf::emotion;

namespace {

alignas(16) std::uint8_t arena[emotion::kArenaBytes];
// The arena keeps values between two calls: its memory serves nothing else.
frontend_complex_t spectrum[FRONTEND_FFT_POINTS];
tflite::MicroInterpreter* interpreter = nullptr;

bool Load() {
  static emotion::Resolver resolver;
  const tflite::Model* const model = tflite::GetModel(emotion::kModel);
  if (model->version() != TFLITE_SCHEMA_VERSION ||
      emotion::RegisterOperators(resolver) != kTfLiteOk) {
    return false;
  }
  // Static: there is no heap.
  static tflite::MicroInterpreter only(model, resolver, arena, emotion::kArenaBytes);
  interpreter = &only;
  return interpreter->AllocateTensors() == kTfLiteOk;
}

}  // namespace

bool classifier_start(void) {
  std::int8_t logits[sizeof emotion::kGoldenOutput0];
  return Load() && classifier_run(emotion::kGoldenInput0, logits) &&
         std::memcmp(logits, emotion::kGoldenOutput0, sizeof logits) == 0;
}

bool classifier_run(const std::int8_t* window, std::int8_t* logits) {
  const std::size_t inputs = emotion::kInputs[0].elements;
  const std::size_t outputs = emotion::kOutputs[0].elements;
  // The input's memory serves other tensors as well, so it is written anew each time.
  std::memcpy(interpreter->input(0)->data.int8, window, inputs);
  if (interpreter->Invoke() != kTfLiteOk) {
    return false;
  }
  std::memcpy(logits, interpreter->output(0)->data.int8, outputs);
  return true;
}

frontend_complex_t* classifier_spectrum(void) { return spectrum; }

const char* const* classifier_labels(void) { return emotion::kLabels; }
