"""The kernels' headers, without a graph."""

import re
import subprocess

import pytest
from generated_c import COMPILERS, FLAGS
from needs import skip_without

from tfhrf.deploy.c import emit

FILES = sorted(path.name for path in emit.KERNELS.iterdir() if path.name.endswith(".h"))
# Without the text that two headers share, each for its own type.
HEADERS = [name for name in FILES if not re.fullmatch(r"tfhrf_(\w+_any|of8|of16)\.h", name)]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_all_kernels_compile_together(compiler):
    skip_without(compiler)
    orders = [HEADERS, HEADERS[::-1], *([header] for header in HEADERS)]
    for order in orders:
        source = "".join(f'#include "{header}"\n' for header in order)
        command = [compiler, *FLAGS, f"-I{emit.KERNELS}", "-fsyntax-only", "-x", "c", "-"]
        subprocess.run(command, input=source.encode(), check=True)
