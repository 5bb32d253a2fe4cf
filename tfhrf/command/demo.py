"""Shows what a model says of each utterance in a sound: in Python, and as the C that goes to a
board, which this machine's compiler builds.
"""

import argparse
import pathlib
import shutil
import subprocess
import tempfile
from typing import Any

from tfhrf.command.said import define_model, fail
from tfhrf.recognition.packaged import Pretrained, find

HELP = "a model at work, in Python and as C"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wav", metavar="FILE", help="a sound; a synthetic voice if not given")
    define_model(parser)


def run(given: argparse.Namespace) -> int:
    model = find(given.model)
    import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
    from tfhrf.data.decode import AudioError

    try:
        samples = _samples(given.wav, model.config.sample_rate)
    except AudioError as error:
        return fail(error)
    rows = {"Python, int8": _in_python(model, samples)}
    if shutil.which("cc"):
        rows["C, int8"] = _in_c(model, samples)
    print(f"{given.wav or 'A synthetic voice'}, by {model.name}")
    print(f"{'':24}" + "".join(f"{label:>12}" for label in model.labels))
    for number, answers in enumerate(zip(*rows.values(), strict=True), 1):
        for kind, posteriors in zip(rows, answers, strict=True):
            values = "".join(f"{value:12.3f}" for value in posteriors)
            best = model.labels[max(range(len(posteriors)), key=posteriors.__getitem__)]
            print(f"{f'{number}: {kind}':24}{values}   {best}")
    if len(rows) == 1:
        print("For the answers of the C code a compiler is needed. Received: no `cc` on the path")
    return 0


def _samples(wav: str | None, rate: int) -> Any:
    """The sound as a device hears it: int16, one channel, at the front end's rate."""
    import soxr

    from tfhrf.data.corpora import synthetic
    from tfhrf.data.decode import decode
    from tfhrf.endpoint import to_int16

    if wav is not None:
        (wave,) = decode([wav], rate)
    else:
        wave = soxr.resample(synthetic.conversation(), synthetic.SAMPLE_RATE, rate)
    return to_int16(wave)


def _in_python(model: Pretrained, samples: Any) -> list[list[float]]:
    """Posteriors of each utterance by TensorFlow Lite Micro's kernels, or TensorFlow Lite's."""
    from tfhrf.data.windows import evaluation_windows, utterance_posteriors
    from tfhrf.deploy import runners
    from tfhrf.endpoint import EndpointConfig, utterances
    from tfhrf.log_mel import log_mel_numpy

    config = model.config
    predict = runners.predict if runners.available() else runners.predict_reference
    features = log_mel_numpy(samples / 32768, config)
    found = []
    for start, end in utterances(samples, EndpointConfig.at(config.sample_rate, config.hop)):
        first = start // config.hop
        spoken = features[first : first + config.frames((end - start) / config.sample_rate)]
        windows = evaluation_windows(spoken, model.frames, config.hop_frames, config)
        found.append(utterance_posteriors(predict(model.int8, windows), [len(windows)])[0])
    return [one.tolist() for one in found]


def _in_c(model: Pretrained, samples: Any) -> list[list[float]]:
    """The same by the application that `tfhrf export` writes."""
    from tfhrf.deploy.project import write_project

    with tempfile.TemporaryDirectory() as scratch:
        folder, program = pathlib.Path(scratch, "demo"), pathlib.Path(scratch, "listen")
        write_project(model.int8, model.config, folder, tool="cmake", labels=model.labels)
        sources = map(str, sorted(folder.glob("*.c")))
        subprocess.run(["cc", "-std=c99", "-O2", *sources, "-o", str(program), "-lm"], check=True)
        sound = samples.astype("<i2").tobytes()
        said = subprocess.run([program], input=sound, capture_output=True, check=True).stdout
    # A line for each class, then one with the answer.
    lines = [line.split() for line in said.decode().splitlines()]
    values = [float(first) for first, *_ in lines if first != "class:"]
    classes = len(model.labels)
    return [values[at : at + classes] for at in range(0, len(values), classes)]
