"""Backbones: log-mel frames of a fixed window in, class logits out."""

from tfhrf.backbones.conformer import Conformer
from tfhrf.backbones.conv_transformer import ConvTransformer
from tfhrf.backbones.speech_former import SpeechFormer

__all__ = ["Conformer", "ConvTransformer", "SpeechFormer"]
