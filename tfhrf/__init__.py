"""Transformer re-parameterization (HRF, deHRF) for speech models on very small devices."""

from tfhrf.accounting import summary
from tfhrf.compiler import to_c
from tfhrf.expansion import expand
from tfhrf.folding import fold
from tfhrf.layers import HRFDense
from tfhrf.tflite import to_tflite
from tfhrf.tflm import to_tflm
from tfhrf.version import __version__

__all__ = ["HRFDense", "__version__", "expand", "fold", "summary", "to_c", "to_tflite", "to_tflm"]
