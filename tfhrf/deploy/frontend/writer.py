"""write_frontend: a LogMelConfig and a model's input quantization as C sources."""

import math
import os
import pathlib
import re
from typing import Any, Literal

import numpy as np

from tfhrf.deploy.c_text import banner, check_name, wrapped
from tfhrf.deploy.frontend.tables import make_tables
from tfhrf.files import write_together
from tfhrf.log_mel import LogMelConfig

SOURCES = pathlib.Path(__file__).parent / "c"
LEAST_FFT, LARGEST_FFT = 32, 4096
# Of one number.
BYTES = {"uint8_t": 1, "uint16_t": 2, "int32_t": 4, "frontend_complex_t": 4}


def write_frontend(
    config: LogMelConfig,
    directory: str | os.PathLike[str],
    *,
    scale: float,
    zero_point: int,
    dtype: Literal["int8", "int16"] = "int8",
    name: str = "frontend",
) -> dict[str, Any]:
    """Writes C99 sources that turn 16-bit samples into a model's quantized log-mel input.

    The frames of `tfhrf.log_mel.log_mel`, quantized like `tfhrf.deploy.runners.predict`
    does, in integer arithmetic only: a host computes the same bits as every device.

    - NAME.h, NAME.c: stream of samples in, frames of `config.mels` levels out.
    - NAME_fft.h, NAME_fft.c, NAME_mel.h, NAME_mel.c, NAME_level.h, NAME_level.c: from a frame of
      samples to its spectrum, to the energies in the mel filters, to levels.
    - NAME_arithmetic.h: products in 32 bits.
    - NAME_tables.h, NAME_tables.c: sizes, window, factors, filters and logarithm, generated.

    The sources need nothing but each other and a C99 compiler: no library, no heap, no floats.

    Args:
        config: LogMelConfig that the model was trained with.
        directory: where the files go; made if missing. Files of the same names are replaced.
        scale: of the model's input; `to_tflm` reports it: `report["inputs"][0]["scale"]`.
        zero_point: of the model's input.
        dtype: of the model's input, "int8" or "int16".
        name: a C identifier that begins the names of files, functions, types and constants; not
            that of a model in the same folder.

    Returns:
        dict: "ram_bytes" (of one stream, NAME_t), "scratch_bytes" (its spectrum), "table_bytes"
            (constants) and "files" (names in the directory).

    Raises:
        ValueError: the name is no C identifier, reserved or used in the sources; the
            quantization is not that of a tensor of `dtype`; or C code cannot compute the
            configuration.
        OSError: the files cannot be written.
    """
    files = frontend_files(config, scale, zero_point, dtype, name)
    write_together(directory, files)
    tables = make_tables(config, float(scale), int(zero_point), dtype)
    return {
        "ram_bytes": 20 + 4 * -(-(config.frame_length + 1) // 2),
        "scratch_bytes": 4 * config.fft_length,
        "table_bytes": sum(
            BYTES[kind] * getattr(tables, field).size for field, kind in array_types(tables).items()
        ),
        "files": list(files),
    }


def frontend_files(config, scale, zero_point, dtype, name="frontend"):
    """What `write_frontend` writes: name of a file to its text. The same arguments and errors."""
    check_name(name)
    check_config(config)
    if dtype not in ("int8", "int16"):
        raise ValueError(f'`dtype` must be "int8" or "int16". Received: {dtype!r}')
    limits = np.iinfo(dtype)
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"`scale` must be a positive number. Received: {scale!r}")
    if zero_point != int(zero_point) or not limits.min <= zero_point <= limits.max:
        raise ValueError(
            f"`zero_point` must be an integer in [{limits.min}, {limits.max}]. "
            f"Received: {zero_point!r}"
        )
    tables = make_tables(config, float(scale), int(zero_point), dtype)
    arrays = array_types(tables)
    files = {path.name: path.read_text() for path in sorted(SOURCES.glob("frontend*.[ch]"))}
    check_unused(name, files.values())
    files["frontend_tables.h"] = tables_header(config, tables, arrays, dtype)
    files["frontend_tables.c"] = tables_source(tables, arrays)
    return {renamed(file, name): renamed(text, name) for file, text in files.items()}


def check_unused(name, texts):
    """Raises ValueError where an identifier that gets the name would meet another one."""
    words = set(re.findall(r"\w+", " ".join(texts)))
    own = {word for word in words if re.match("frontend_", word, re.IGNORECASE)}
    if {renamed(word, name) for word in own} & (words - own):
        raise ValueError(
            f"`name` gives a name that the sources use; choose another. Received: {name!r}"
        )


def check_config(config):
    """Raises ValueError for a configuration that the C code cannot follow."""
    size = config.fft_length
    if not LEAST_FFT <= size <= LARGEST_FFT or size & (size - 1):
        raise ValueError(
            f"`fft_length` must be a power of two from {LEAST_FFT} to {LARGEST_FFT}. "
            f"Received: fft_length={size}"
        )
    if not 2 <= config.frame_length <= size:
        raise ValueError(
            "`frame_length` must be at least 2 and at most fft_length. "
            f"Received: frame_length={config.frame_length}, fft_length={size}"
        )
    if config.upper_hz > config.sample_rate / 2:
        raise ValueError(
            "The filters must lie between 0 Hz and half the sample rate. Received: "
            f"lower_hz={config.lower_hz}, upper_hz={config.upper_hz}, "
            f"sample_rate={config.sample_rate}"
        )
    if config.mels > size // 2:
        raise ValueError(
            f"There must not be more filters than bins of the spectrum, {size // 2}. "
            f"Received: mels={config.mels}"
        )


def array_types(tables):
    """The C type of each table; indices are bytes where they fit."""
    types = {
        "order": unsigned(tables.order),
        "window": "frontend_complex_t",
        "factors": "frontend_complex_t",
        "segments": unsigned(tables.segments),
        "weights": "int32_t",
        "logarithm": "int32_t",
    }
    return types | ({"equalizer": "int32_t"} if tables.equalizer.size else {})


def unsigned(values):
    return "uint8_t" if values.max() < 256 else "uint16_t"


def tables_header(config, tables, arrays, dtype):
    constants = {
        "SAMPLE_RATE": f"{config.sample_rate}U",
        "FRAME_LENGTH": f"{config.frame_length}U",
        "HOP": f"{config.hop}U",
        "MELS": f"{config.mels}U",
        "OVERLAP": f"{-(-config.frame_length // config.hop)}U",
        "PAIRS": f"{len(tables.window)}U",
        "FFT_POINTS": f"{config.fft_length // 2}U",
        "FFT_RADIX_2": f"{int(tables.radix_2)}",
        "EQUALIZED": f"{int(tables.equalizer.size > 0)}",
        "FIRST_BIN": f"{tables.first_bin}U",
        "LEAST": f"({tables.least})",
        "SLOPE": f"INT32_C({tables.slope})",
        "OFFSET": f"INT64_C({tables.offset})",
        "SHIFT": f"{tables.shift}U",
        "LARGEST": f"({np.iinfo(dtype).max})",
    }
    lines = [
        f"/* {banner()}",
        f" * {config} */",
        "#ifndef TFHRF_FRONTEND_TABLES_H_",
        "#define TFHRF_FRONTEND_TABLES_H_",
        "",
        "#include <stdint.h>",
        "",
        "/* A level of the model's input. */",
        f"typedef {dtype}_t frontend_level_t;",
        "",
        "typedef struct {",
        "    int32_t re;",
        "    int32_t im;",
        "} frontend_complex_t;",
        "",
        *(f"#define FRONTEND_{constant} {value}" for constant, value in constants.items()),
        "",
        *(f"extern {declaration(tables, arrays, field)};" for field in arrays),
        "",
        "#endif /* TFHRF_FRONTEND_TABLES_H_ */",
    ]
    return "\n".join(lines) + "\n"


def tables_source(tables, arrays):
    lines = [f"/* {banner()} */", '#include "frontend_tables.h"']
    for field in arrays:
        values = getattr(tables, field)
        texts = (str(value).replace("[", "{").replace("]", "}") for value in values.tolist())
        lines += ["", f"{declaration(tables, arrays, field)} = {{", *wrapped(list(texts), 8), "};"]
    return "\n".join(lines) + "\n"


def declaration(tables, arrays, field):
    rows, *columns = getattr(tables, field).shape
    # The pairs of two are structures.
    width = f"[{columns[0]}]" if columns and columns[0] != 2 else ""
    return f"const {arrays[field]} frontend_{field}[{rows}]{width}"


def renamed(text, name):
    """The sources say frontend, FRONTEND where a user's name goes, and "front end" elsewhere."""
    return text.replace("frontend", name).replace("FRONTEND", name.upper())
