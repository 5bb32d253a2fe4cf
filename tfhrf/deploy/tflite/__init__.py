"""From a folded Keras model to a .tflite graph that TensorFlow Lite Micro can run."""
