"""The kernels' headers, without a graph."""

import subprocess

import pytest
from generated_c import COMPILERS, FLAGS
from needs import skip_without

from tfhrf.deploy.c import emit

HEADERS = sorted(path.name for path in emit.KERNELS.iterdir() if path.name.endswith(".h"))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_all_kernels_compile_together(compiler):
    skip_without(compiler)
    orders = [HEADERS, HEADERS[::-1], *([header] for header in HEADERS)]
    for order in orders:
        source = "".join(f'#include "{header}"\n' for header in order)
        command = [compiler, *FLAGS, f"-I{emit.KERNELS}", "-fsyntax-only", "-x", "c", "-"]
        subprocess.run(command, input=source.encode(), check=True)
