// Stands in for TensorFlow Lite's header.
#ifndef SCHEMA_GENERATED_H_
#define SCHEMA_GENERATED_H_

#include <cstdint>

#define TFLITE_SCHEMA_VERSION 3

namespace tflite {

class Model {
 public:
  std::uint32_t version() const { return TFLITE_SCHEMA_VERSION; }
};

inline const Model* GetModel(const void* bytes) { return static_cast<const Model*>(bytes); }

}  // namespace tflite

#endif
