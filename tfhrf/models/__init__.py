"""Backbones: log-mel frames of a fixed window in, class logits out.

Each has presets by name and takes a configuration of one's own in their place.
"""

from tfhrf.models.conformer import Conformer, ConformerConfig
from tfhrf.models.conv_transformer import ConvTransformer, ConvTransformerConfig
from tfhrf.models.speech_former import SpeechFormer, SpeechFormerConfig

__all__ = [
    "Conformer",
    "ConformerConfig",
    "ConvTransformer",
    "ConvTransformerConfig",
    "SpeechFormer",
    "SpeechFormerConfig",
]
