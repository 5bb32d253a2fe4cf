"""Writes a web page that listens, with a trained model in it and what it costs on a board.

    python tflm/write_page.py
    python tflm/write_page.py --model=runs/STUDY/deployed --out=my.html

Needs clang and wasm-ld, and for the costs arm-none-eabi-gcc and qemu-system-arm (`make tools`).
"""

import argparse
import pathlib
import sys
import tempfile

import demo
import emulator

from tfhrf.data.corpora import synthetic
from tfhrf.deploy.page import Costs
from tfhrf.recognition.packaged import DEFAULT, find
from tfhrf.recognition.page import write_model_page

PROCESSOR, BOARD = "Cortex-M4", "mps2-an386"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT, help="name of a packaged model, or a folder")
    parser.add_argument("--out", help="the page; build/page/NAME.html if not given")
    arguments = parser.parse_args()
    try:
        model = find(arguments.model)
        out = pathlib.Path(arguments.out or f"build/page/{model.name}.html")
        report = write_model_page(out, model, costs=costs_of(model))
    except (OSError, RuntimeError, ValueError) as error:
        print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    print(f"{out.resolve().as_uri()}: {report['page_bytes']:,} bytes")


def costs_of(model):
    """What sound and a window cost on an emulated board that hears a voice."""
    rate = model.config.sample_rate
    # Nothing behind the last answer, which would not be counted.
    samples = demo.conversation(rate)[:-rate]
    with tempfile.TemporaryDirectory() as folder:
        sound = pathlib.Path(folder) / "sound.wav"
        synthetic.write_wav(sound, samples, rate)
        answer = emulator.run(BOARD, model.folder, sound, pathlib.Path(folder) / "build")
    instructions, sizes = answer["instructions"], answer["bytes"]
    return Costs(
        processor=PROCESSOR,
        second=round(instructions["front end"] * rate / len(samples)),
        window=round(instructions["model"] / answer["windows"]),
        ram=sizes["RAM"] + sizes["stack"],
        flash=sizes["flash"],
    )


if __name__ == "__main__":
    main()
