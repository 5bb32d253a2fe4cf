"""The compiler from an integer .tflite graph to C99; `compile` tells its stages."""
