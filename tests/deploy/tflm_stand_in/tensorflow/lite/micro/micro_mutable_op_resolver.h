// Stands in for TensorFlow Lite Micro's header: a resolver that notes what is added to it.
#ifndef MICRO_MUTABLE_OP_RESOLVER_H_
#define MICRO_MUTABLE_OP_RESOLVER_H_

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

namespace tflite {

template <unsigned int tOpCount>
class MicroMutableOpResolver {
 public:
// Its methods, one for each operator that tfhrf knows; the test writes them.
#include "resolver_methods.inc"

  bool Complete() const { return added_ == tOpCount; }

 private:
  TfLiteStatus Count() { return ++added_ > tOpCount ? kTfLiteError : kTfLiteOk; }
  unsigned int added_ = 0U;
};

}  // namespace tflite

#endif
