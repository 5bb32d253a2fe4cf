"""The recipe that is one file, on a few seconds of synthetic speech."""

import importlib.util
import re

from places import ROOT

from tfhrf.data.corpora import synthetic
from tfhrf.deploy import runners

FILE = ROOT / "recipes" / "minimal.py"


def test_minimal_trains_folds_quantizes_and_writes_c(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(synthetic, "SPEAKERS", 2)
    monkeypatch.setattr(synthetic, "UTTERANCES", 2)
    spec = importlib.util.spec_from_file_location("minimal", FILE)
    minimal = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(minimal)
    monkeypatch.setattr(minimal, "EPOCHS", 1)
    minimal.main()

    printed = capsys.readouterr().out
    recalls = dict(re.findall(r"^(as trained|folded|int8) +(\d\.\d+)$", printed, re.MULTILINE))
    assert recalls["as trained"] == recalls["folded"]
    assert ("int8" in recalls) == runners.available()
    for figure in ("parameters", "int8 file", "RAM of the C code"):
        assert re.search(rf"^{figure} +[1-9]", printed, re.MULTILINE)
    files = {path.name for path in (tmp_path / minimal.OUT).iterdir()}
    assert {"emotion.c", "emotion.h", "emotion_golden.h", "front_end.json"} <= files


def test_minimal_can_be_read_in_one_sitting():
    text = FILE.read_text()
    assert len(text.splitlines()) <= 120
    assert "tfhrf.studies" not in text
