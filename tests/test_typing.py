"""What a type checker says of calls of the public names: py.typed must be true."""

import pytest
from places import ROOT

api = pytest.importorskip("mypy.api", reason="mypy is not installed")

# A user's module: each line is right, but for those that name the error they are.
CALLS = """\
import dataclasses

import keras

import tfhrf
from tfhrf.models import Conformer, ConvTransformer, SpeechFormer
from tfhrf.models.conv_transformer import LIGHT

model = ConvTransformer((300, 64), 4, dataclasses.replace(LIGHT, units=64), hrf=4)
Conformer((300, 64), 4, "large", where="all", masked=True)
SpeechFormer((300, 64), classes=4)
ConvTransformer((300, 64), 4, "light", 4)  # call-arg
ConvTransformer(300, 4)  # arg-type
dataclasses.replace(LIGHT, unitz=64)  # call-arg
LIGHT.units = 64  # misc
layer: keras.Layer = tfhrf.HRFDense(64, "relu", use_bias=False, expansion=2)
tfhrf.HRFDense("relu")  # arg-type
tfhrf.HRFDense(64, None, True, "zeros", "zeros", None, None, None, None, None, 4)  # call-arg
wide: keras.Model = tfhrf.expand(model, 4, depth=3, where=["block*_ffn_*"])
tfhrf.expand(model, where=lambda layer: layer.name != "logits")
tfhrf.expand(model, 4, 2)  # call-arg
tfhrf.expand(model, expansion="4")  # arg-type
folded: keras.Model = tfhrf.fold(wide)
tfhrf.fold(wide, 2)  # call-arg
bytes_of_weights: int = tfhrf.summary(wide).folded.bytes
tfhrf.summary(wide).folded.megabytes  # attr-defined
content: bytes = tfhrf.to_tflite(folded, precision="int8")
tfhrf.to_tflite(folded, None, "int8")  # call-arg
tfhrf.to_tflite(folded, precision="int4")  # arg-type
tfhrf.to_tflite(folded, ranges="all")  # arg-type
small: bytes = tfhrf.compress(folded, [], prune=0.5, quantize="qat", ranges="best").content
tfhrf.compress(folded, [], 0.5)  # call-arg
decibels: float = tfhrf.quantization_report(folded, small, [], labels=[1]).steps[0].decibels
tfhrf.to_tflm(content, "firmware", name="emotion", labels=["calm", "angry"])
tfhrf.to_tflm(content, "firmware", "emotion")  # call-arg
tfhrf.to_c(content, "firmware", labels=["calm", "angry"])
tfhrf.to_c("model.tflite", "firmware")  # arg-type
graph: bytes = tfhrf.pretrained("light-emodb-4").int8
trained: keras.Model = tfhrf.pretrained().model
heard: str = tfhrf.recognize("a.wav", "light-emodb-4", every=0.5, precision="float32").label
tfhrf.recognize("a.wav", tfhrf.pretrained()).windows[0].start.is_integer()
tfhrf.recognize("a.wav", "light-emodb-4", 0.5)  # call-arg
tfhrf.recognize("a.wav", precision="int4")  # arg-type
tuned: tuple[str, ...] = tfhrf.fine_tune("my.csv", "light-emodb-4", test=True).labels
tfhrf.fine_tune("my.csv", epochs="4")  # arg-type
"""


def test_strict_mypy_knows_right_calls_from_wrong_ones(tmp_path, monkeypatch):
    (tmp_path / "user.py").write_text(CALLS)
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = True\nignore_missing_imports = True\n")
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    output, errors, _ = api.run(["--hide-error-context", "--follow-imports=silent", "user.py"])
    assert not errors
    found = {
        int(line.split(":")[1]): line.rpartition("[")[2].rstrip("]")
        for line in output.splitlines()
        if ": error: " in line
    }
    expected = {
        number: line.partition("  # ")[2]
        for number, line in enumerate(CALLS.splitlines(), start=1)
        if "  # " in line
    }
    assert found == expected, output
