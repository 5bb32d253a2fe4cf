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
from tfhrf.log_mel import LogMelConfig
from tfhrf.recognition.packaged import Pretrained, find

HELP = "a model at work, in Python and as C"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wav", metavar="FILE", help="a sound; a synthetic voice if not given")
    define_model(parser)


def run(given: argparse.Namespace) -> int:
    model = find(given.model)
    import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
    from tfhrf.data.decode import AudioError
    from tfhrf.recognition.stream import answers

    try:
        samples = _samples(given.wav, model.config)
        rows = {"Python, int8": [said.tolist() for _, _, said in answers(model, samples)]}
        if not rows["Python, int8"]:
            raise AudioError("Nothing in the audio file stands out as an utterance", given.wav)
        if shutil.which("cc"):
            rows["C, int8"] = _in_c(model, samples)
    except (RuntimeError, ValueError) as error:
        return fail(error)
    print(f"{given.wav or 'A synthetic voice'}, by {model.name}")
    print(f"{'':24}" + "".join(f"{label:>12}" for label in model.labels))
    for number, both in enumerate(zip(*rows.values(), strict=True), 1):
        for kind, posteriors in zip(rows, both, strict=True):
            values = "".join(f"{value:12.3f}" for value in posteriors)
            best = model.labels[max(range(len(posteriors)), key=posteriors.__getitem__)]
            print(f"{f'{number}: {kind}':24}{values}   {best}")
    if len(rows) == 1:
        print("For the answers of the C code a compiler is needed. Received: no `cc` on the path")
    return 0


def _samples(wav: str | None, config: LogMelConfig) -> Any:
    """The sound as a device hears it: int16, one channel, at the front end's rate."""
    from tfhrf.data.corpora import synthetic
    from tfhrf.data.decode import AudioError, decode
    from tfhrf.endpoint import to_int16

    rate = config.sample_rate
    if wav is not None:
        (wave,) = decode([wav], rate)
        if len(wave) < config.frame_length:
            raise AudioError(
                f"Audio file is shorter than one frame of {config.frame_length} samples "
                f"({len(wave)} samples)",
                wav,
            )
    else:
        wave = synthetic.conversation(sample_rate=rate)
    return to_int16(wave)


def _in_c(model: Pretrained, samples: Any) -> list[list[float]]:
    """The same by the application that `tfhrf export` writes."""
    from tfhrf.deploy.project import write_project

    with tempfile.TemporaryDirectory() as scratch:
        folder, program = pathlib.Path(scratch, "demo"), pathlib.Path(scratch, "listen")
        write_project(model.int8, model.config, folder, tool="cmake", labels=model.labels)
        sources = map(str, sorted(folder.glob("*.c")))
        _output(["cc", "-std=c99", "-O2", *sources, "-o", str(program), "-lm"])
        said = _output([str(program)], samples.astype("<i2").tobytes())
    # A line for each class, then one with the answer.
    lines = [line.split() for line in said.splitlines()]
    values = [float(first) for first, *_ in lines if first != "class:"]
    classes = len(model.labels)
    return [values[at : at + classes] for at in range(0, len(values), classes)]


def _output(command: list[str], given: bytes = b"") -> str:
    """What a program prints of what it is given; RuntimeError if it fails."""
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()
        said = next((line for line in lines if "error" in line.lower()), "no error message")
        name = pathlib.Path(command[0]).name
        raise RuntimeError(f"`{name}` ended with exit code {done.returncode}. Received: {said}")
    return done.stdout.decode()
