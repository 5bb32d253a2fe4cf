"""Shows what a trained model says of a sound in Python and on an emulated microcontroller.

    python tflm/demo.py
    python tflm/demo.py --model=runs/STUDY/deployed --wav=sound.wav --board=netduinoplus2

Any sound file, with any number of utterances; a synthetic voice if none is given. Needs
arm-none-eabi-gcc and qemu-system-arm (`make tools`).
"""

import argparse
import pathlib
import sys
import wave

import emulator
import numpy as np
import soxr

from tfhrf.data.corpora import synthetic
from tfhrf.data.decode import decode
from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.endpoint import EndpointConfig, utterances
from tfhrf.files import replacing
from tfhrf.log_mel import log_mel_numpy
from tfhrf.recognition.packaged import DEFAULT, find

SOUND = pathlib.Path("runs/demo/sound.wav")  # as the board reads it: 16 bits, one channel


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT, help="name of a packaged model, or a folder")
    parser.add_argument("--wav", help="the sound; a synthetic voice if not given")
    parser.add_argument("--board", default=emulator.BOARDS[0], help=", ".join(emulator.BOARDS))
    arguments = parser.parse_args()
    try:
        show(find(arguments.model), arguments.wav, arguments.board)
    except (OSError, RuntimeError, ValueError) as error:
        message = " ".join(str(error).split())
        print(message if message.startswith("Error") else f"Error: {message}", file=sys.stderr)
        sys.exit(2)


def show(model, wav, board):
    rate = model.config.sample_rate
    source = record(wav, rate)
    answer = emulator.run(board, model.folder, SOUND)
    found = in_python(model)
    print(f"\n{model.name}: {model.summary}\n{source}\n")
    print(" " * 24 + "".join(f"{label:>12}" for label in answer["labels"]))
    for ((start, end), posterior), on_board in zip(found, answer["posteriors"], strict=True):
        print(f"{start / rate:.2f} s to {end / rate:.2f} s")
        for kind, row in (("Python, int8", posterior), (f"{board}, int8", np.array(on_board))):
            values = "".join(f"{value:12.6f}" for value in row)
            print(f"{kind:24}{values}   {answer['labels'][row.argmax()]}")
    counts, sizes = answer["instructions"], answer["bytes"]
    print("\nmillions of instructions: ", end="")
    print(", ".join(f"{part} {count / 1e6:.2f}" for part, count in counts.items()))
    print("bytes: " + ", ".join(f"{part} {size:,}" for part, size in sizes.items()))
    print(f"`make page` writes a page that says the same as the board; drop {SOUND} on it.")


def record(wav, rate):
    """Writes the sound as the board reads it; returns words for what it is."""
    samples = conversation(rate) if wav is None else decoded(wav, rate)
    what = wav or "a synthetic voice; WAV=file takes a real one"
    with replacing(SOUND) as path:
        synthetic.write_wav(path, samples, rate)
    return f"{len(samples) / rate:.2f} s of sound: {what}"


def decoded(path, rate):
    (samples,) = decode([path], rate)
    return samples


def conversation(rate):
    """Utterances of a voice that is not in the synthetic corpus."""
    return soxr.resample(synthetic.conversation(), synthetic.SAMPLE_RATE, rate)


def in_python(model):
    """Of each utterance its start and end, in samples, and the mean posterior of its windows."""
    config = model.config
    samples = recorded()
    found = []
    for start, end in utterances(samples, EndpointConfig.at(config.sample_rate, config.hop)):
        frames = log_mel_numpy(samples[start:end].astype(np.float32) / 2**15, config)
        windows = evaluation_windows(frames, model.frames, config.hop_frames, config)
        logits = runners.predict(model.int8, windows)
        found.append(((start, end), utterance_posteriors(logits, [len(logits)])[0]))
    return found


def recorded():
    """The sound's samples, as the board reads them."""
    with wave.open(str(SOUND)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


if __name__ == "__main__":
    main()
