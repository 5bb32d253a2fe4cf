// Stands in for the core's header: what the sketch uses of it.
#ifndef ARDUINO_H_
#define ARDUINO_H_

#include <cstdint>

void setup();
void loop();
unsigned long micros();
void delay(unsigned long milliseconds);

struct SerialPort {
  void begin(unsigned long baud);
  void print(const char *text);
  void print(float value, int digits);
  void println(const char *text);
};

extern SerialPort Serial;

#endif
