"""Writes a web page that listens, with a trained model in it and what it costs on a board.

    python tflm/write_page.py
    python tflm/write_page.py --model=runs/STUDY/deployed --out=my.html

Needs clang and wasm-ld, and for the costs arm-none-eabi-gcc and qemu-system-arm (`make tools`).
"""

import pathlib
import tempfile

import commandline
import emulator

from tfhrf.data.corpora import synthetic
from tfhrf.deploy.page import Costs
from tfhrf.files import check_file
from tfhrf.recognition.packaged import DEFAULT, find
from tfhrf.recognition.page import write_model_page

PROCESSOR, BOARD = "Cortex-M4", "mps2-an386"


def main():
    parser = commandline.parser_of(__doc__)
    parser.add_argument("--model", default=DEFAULT, help="name of a packaged model, or a folder")
    parser.add_argument("--out", help="the page; build/page/NAME.html if not given")
    arguments = parser.parse_args()
    model = find(arguments.model)
    out = pathlib.Path(arguments.out or f"build/page/{model.name}.html")
    check_file(out)
    report = write_model_page(out, model, costs=costs_of(model))
    print(f"{out.resolve().as_uri()}: {report['page_bytes']:,} bytes")


def costs_of(model):
    """What sound and a window cost on an emulated board that hears a voice."""
    rate = model.config.sample_rate
    # Nothing behind the last answer, which would not be counted.
    samples = synthetic.conversation(sample_rate=rate)[:-rate]
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
    commandline.run(main)
