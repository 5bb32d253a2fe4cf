// From sound to emotion; audio_provider.cpp and responder.cpp are yours to change.
#include <TensorFlowLite.h>

#include "src/application.h"

void setup() { application_setup(); }

void loop() { application_loop(); }
