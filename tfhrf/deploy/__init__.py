"""The way to a device: TFLite, TensorFlow Lite Micro, C, the front end in C, firmware projects."""
