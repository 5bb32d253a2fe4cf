"""The front end in C: 16-bit samples to a model's quantized log-mel input, frame by frame."""

from tfhrf.deploy.frontend.writer import write_frontend

__all__ = ["write_frontend"]
