"""Backbones: log-mel frames of a fixed window in, class logits out."""

from tfhrf.models.conformer import Conformer
from tfhrf.models.conv_transformer import ConvTransformer
from tfhrf.models.speech_former import SpeechFormer

__all__ = ["Conformer", "ConvTransformer", "SpeechFormer"]
