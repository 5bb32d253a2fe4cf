// Answers to the serial monitor, 115200 baud.
#include "src/responder.h"

#include <Arduino.h>

void responder_start(void) { Serial.begin(115200); }

void responder_window(const int8_t *window, const int8_t *logits) {
  (void)window;
  (void)logits;
}

void responder_utterance(const result_t *result) {
  for (uint32_t i = 0; i < result->classes; ++i) {
    Serial.print(static_cast<float>(result->posterior[i]) / POSTERIOR_ONE, 3);
    Serial.print(" ");
    Serial.println(result->labels[i]);
  }
  Serial.print("class: ");
  Serial.println(result->labels[result->best]);
}

void responder_failure(const char *what) {
  // Again and again: nobody may be listening yet.
  for (;;) {
    Serial.print("Error: ");
    Serial.println(what);
    delay(1000);
  }
}

uint64_t responder_ticks(void) { return micros(); }
