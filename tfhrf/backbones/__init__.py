"""Backbones: log-mel frames of a fixed window in, class logits out."""

from tfhrf.backbones.conv_transformer import ConvTransformer

__all__ = ["ConvTransformer"]
