// Stands in for the library's header.
#ifndef PDM_H_
#define PDM_H_

#include <cstddef>

struct PDMClass {
  int begin(int channels, int sample_rate);
  int read(void *buffer, std::size_t bytes);
  void onReceive(void (*function)());
};

extern PDMClass PDM;

#endif
