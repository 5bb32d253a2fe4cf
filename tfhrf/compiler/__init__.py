"""to_c: an integer .tflite graph as C99 that needs no library."""

from tfhrf.compiler.generate import to_c

__all__ = ["to_c"]
