// Stands in for TensorFlow Lite Micro's header: C that `to_c` generated computes the model.
#ifndef MICRO_INTERPRETER_H_
#define MICRO_INTERPRETER_H_

#include <cstddef>
#include <cstdint>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

extern "C" {
#include "model.h"
}

struct TfLiteTensor {
  union {
    std::int8_t* int8;
  } data;
};

namespace tflite {

class MicroInterpreter {
 public:
  template <typename Resolver>
  MicroInterpreter(const Model* model, const Resolver& resolver, std::uint8_t* arena,
                   std::size_t size)
      : model_(model), complete_(resolver.Complete()), arena_(arena), size_(size) {}

  TfLiteStatus AllocateTensors() {
    const bool fits = MODEL_INPUT_ELEMENTS + MODEL_OUTPUT_ELEMENTS <= size_;
    input_.data.int8 = reinterpret_cast<std::int8_t*>(arena_);
    output_.data.int8 = input_.data.int8 + MODEL_INPUT_ELEMENTS;
    return model_ != nullptr && complete_ && fits ? kTfLiteOk : kTfLiteError;
  }

  TfLiteTensor* input(std::size_t index) { return index == 0U ? &input_ : nullptr; }
  TfLiteTensor* output(std::size_t index) { return index == 0U ? &output_ : nullptr; }

  TfLiteStatus Invoke() {
    const int status = model_invoke(input_.data.int8, output_.data.int8);
    // As in TensorFlow Lite Micro, the input does not outlive its first reader.
    for (std::size_t i = 0U; i < MODEL_INPUT_ELEMENTS; ++i) {
      input_.data.int8[i] = 77;
    }
    return status == 0 ? kTfLiteOk : kTfLiteError;
  }

 private:
  const Model* model_;
  bool complete_;
  std::uint8_t* arena_;
  std::size_t size_;
  TfLiteTensor input_{};
  TfLiteTensor output_{};
};

}  // namespace tflite

#endif
