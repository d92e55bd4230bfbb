"""Node, which runs the browser's modules without a browser, where it is found."""

import shutil
import subprocess

import pytest

OLDEST = (20, 10)
"""The first node that reads JSON by the `import` that browsers know."""


def _version(node: str | None) -> tuple[int, ...]:
    if node is None:
        return ()
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=120).stdout
    return tuple(int(part) for part in told.strip().lstrip("v").split("-")[0].split("."))


NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    _version(NODE) < OLDEST, reason=f"the browser's modules are not tested: no node {OLDEST[0]}.{OLDEST[1]} or later"
)


def run_node(*words: str, text: str | None = None) -> str:
    """What node prints, given these words and a text to read; AssertionError with all that it said if it fails."""
    assert NODE is not None
    command = [NODE, *words]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
