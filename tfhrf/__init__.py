"""Transformer re-parameterization (HRF, deHRF) for speech models on very small devices."""

import importlib
from typing import TYPE_CHECKING, Any

from tfhrf.version import __version__

if TYPE_CHECKING:
    from tfhrf.compression.pipeline import compress
    from tfhrf.compression.report import quantization_report
    from tfhrf.deploy.c.compile import to_c
    from tfhrf.deploy.tflite.convert import to_tflite
    from tfhrf.deploy.tflm_sources import to_tflm
    from tfhrf.hrf.expand import expand
    from tfhrf.hrf.fold import fold
    from tfhrf.hrf.layers import HRFDense
    from tfhrf.hrf.parallel import ParallelDense
    from tfhrf.hrf.summary import summary
    from tfhrf.recognition.packaged import pretrained
    from tfhrf.recognition.recognize import recognize
    from tfhrf.studies.fine_tune import fine_tune

__all__ = [
    "HRFDense",
    "ParallelDense",
    "__version__",
    "compress",
    "expand",
    "fine_tune",
    "fold",
    "pretrained",
    "quantization_report",
    "recognize",
    "summary",
    "to_c",
    "to_tflite",
    "to_tflm",
]

# Imported on first use: TensorFlow takes seconds to load.
_HOMES = {
    "HRFDense": "tfhrf.hrf.layers",
    "ParallelDense": "tfhrf.hrf.parallel",
    "compress": "tfhrf.compression.pipeline",
    "expand": "tfhrf.hrf.expand",
    "fine_tune": "tfhrf.studies.fine_tune",
    "fold": "tfhrf.hrf.fold",
    "pretrained": "tfhrf.recognition.packaged",
    "quantization_report": "tfhrf.compression.report",
    "recognize": "tfhrf.recognition.recognize",
    "summary": "tfhrf.hrf.summary",
    "to_c": "tfhrf.deploy.c.compile",
    "to_tflite": "tfhrf.deploy.tflite.convert",
    "to_tflm": "tfhrf.deploy.tflm_sources",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tfhrf' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
