// The model in TensorFlow Lite Micro, in place of classifier.c.
#include "classifier.h"

#include <cstring>

#include "classifier_model.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

alignas(16) std::uint8_t arena[classifier_model::kArenaBytes];
// The arena keeps values between two calls: its memory serves nothing else.
frontend_complex_t spectrum[FRONTEND_FFT_POINTS];
tflite::MicroInterpreter* interpreter = nullptr;

bool Load() {
  static classifier_model::Resolver resolver;
  const tflite::Model* const model = tflite::GetModel(classifier_model::kModel);
  if (model->version() != TFLITE_SCHEMA_VERSION ||
      classifier_model::RegisterOperators(resolver) != kTfLiteOk) {
    return false;
  }
  // Static: there is no heap.
  static tflite::MicroInterpreter only(model, resolver, arena, classifier_model::kArenaBytes);
  interpreter = &only;
  return interpreter->AllocateTensors() == kTfLiteOk;
}

}  // namespace

bool classifier_start(void) {
  std::int8_t logits[sizeof classifier_model::kGoldenOutput0];
  return Load() && classifier_run(classifier_model::kGoldenInput0, logits) &&
         std::memcmp(logits, classifier_model::kGoldenOutput0, sizeof logits) == 0;
}

bool classifier_run(const std::int8_t* window, std::int8_t* logits) {
  const std::size_t inputs = classifier_model::kInputs[0].elements;
  const std::size_t outputs = classifier_model::kOutputs[0].elements;
  // The input's memory serves other tensors as well, so it is written anew each time.
  std::memcpy(interpreter->input(0)->data.int8, window, inputs);
  if (interpreter->Invoke() != kTfLiteOk) {
    return false;
  }
  std::memcpy(logits, interpreter->output(0)->data.int8, outputs);
  return true;
}

frontend_complex_t* classifier_spectrum(void) { return spectrum; }

const char* const* classifier_labels(void) { return classifier_model::kLabels; }
