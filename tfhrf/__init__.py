"""Transformer re-parameterization (HRF, deHRF) for speech models on very small devices."""

from tfhrf.layers import HRFDense
from tfhrf.version import __version__

__all__ = ["HRFDense", "__version__"]
