"""Files of labels as text, and names in one form of Unicode."""

import unicodedata

from tfhrf.data.corpora.utterance import CorpusError


def read_text(path, what):
    """The text of a file in UTF-8, with or without the mark of it that Windows writes first.

    Args:
        path: of the file.
        what: what it is, for messages.

    Raises:
        CorpusError: it cannot be read, or is not UTF-8; names the line.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CorpusError(f"{what} cannot be read ({error.strerror}). Received: {path}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CorpusError(f"{what} is not UTF-8. Received: {path}, line {line}") from None


def composed(text):
    """A text in the composed form of Unicode: macOS may write letters and accents apart."""
    return unicodedata.normalize("NFC", text)
