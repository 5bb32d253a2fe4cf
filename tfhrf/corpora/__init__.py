"""Corpora: one reader per corpus, all returning lists of Utterance."""

from tfhrf.corpora import emodb, synthetic
from tfhrf.corpora.utterance import CorpusError, Utterance

READERS = {"emodb": emodb.read, "synthetic": synthetic.read}

__all__ = ["READERS", "CorpusError", "Utterance"]
