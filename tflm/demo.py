"""Shows what a trained model says of a sound in Python and on an emulated microcontroller.

    python tflm/demo.py
    python tflm/demo.py --model=runs/STUDY/deployed --wav=sound.wav --board=netduinoplus2

Any sound file, with any number of utterances; a synthetic voice if none is given. Needs
arm-none-eabi-gcc and qemu-system-arm (`make tools`).
"""

import pathlib
import wave

import commandline
import emulator
import numpy as np

from tfhrf.data.corpora import synthetic
from tfhrf.data.decode import decode
from tfhrf.files import replacing
from tfhrf.recognition.packaged import DEFAULT, find
from tfhrf.recognition.stream import answers

SOUND = pathlib.Path("runs/demo/sound.wav")  # as the board reads it: 16 bits, one channel


def main():
    parser = commandline.parser_of(__doc__)
    parser.add_argument("--model", default=DEFAULT, help="name of a packaged model, or a folder")
    parser.add_argument("--wav", help="the sound; a synthetic voice if not given")
    parser.add_argument(
        "--board",
        choices=emulator.BOARDS,
        default=emulator.BOARDS[0],
        help="%(default)s if not given",
    )
    arguments = parser.parse_args()
    show(find(arguments.model), arguments.wav, arguments.board)


def show(model, wav, board):
    rate = model.config.sample_rate
    source = record(wav, rate)
    answer = emulator.run(board, model.folder, SOUND)
    found = answers(model, recorded())
    print(f"\n{model.name}: {model.summary}\n{source}\n")
    print(" " * 24 + "".join(f"{label:>12}" for label in answer["labels"]))
    for (start, end, posterior), on_board in zip(found, answer["posteriors"], strict=True):
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
    samples = synthetic.conversation(sample_rate=rate) if wav is None else decoded(wav, rate)
    what = wav or "a synthetic voice; WAV=file takes a real one"
    with replacing(SOUND) as path:
        synthetic.write_wav(path, samples, rate)
    return f"{len(samples) / rate:.2f} s of sound: {what}"


def decoded(path, rate):
    (samples,) = decode([path], rate)
    return samples


def recorded():
    """The sound's samples, as the board reads them."""
    with wave.open(str(SOUND)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


if __name__ == "__main__":
    commandline.run(main)
