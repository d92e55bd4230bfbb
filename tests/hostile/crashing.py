"""A decoder that really crashes at pictures of certain sizes, put under every Python that finds it on its path."""

import os
from pathlib import Path

from tests.imaging.pictures import noise

SEGFAULT, ABORT, KILLED, EXIT = (31, 13), (33, 13), (37, 13), (39, 13)
"""Sizes at which the process gets SIGSEGV, SIGABRT, SIGKILL (as from a system without memory), or simply exits."""
HANG, SLOW, SPOILED = (41, 13), (43, 13), (45, 13)
"""Sizes at which it never comes back and holds Python's lock, takes a while, or crashes if it read another before."""

SOURCE = f"""
import ctypes, os, signal, time
from PIL import ImageFile
load = ImageFile.ImageFile.load
seen = set()
def crashing(self):
    if self.size == {SEGFAULT}:
        ctypes.string_at(0)
    if self.size == {ABORT}:
        os.abort()
    if self.size == {KILLED}:
        os.kill(os.getpid(), signal.SIGKILL)
    if self.size == {EXIT}:
        os._exit(1)
    if self.size == {HANG}:
        ctypes.PyDLL(None).sleep(1000)
    if self.size == {SLOW}:
        time.sleep(0.3)
    if self.size == {SPOILED} and seen - {{self.size}}:
        os.abort()
    seen.add(self.size)
    return load(self)
ImageFile.ImageFile.load = crashing
"""


def crashing_environment(folder: Path) -> dict[str, str]:
    """The variables under which a Python has that decoder; its module is written into `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(SOURCE)
    return {**os.environ, "PYTHONPATH": os.fspath(folder)}


def write_bad(path: Path, size: tuple[int, int], seed: int = 7) -> None:
    """A good picture of a size that the decoder does not bear."""
    noise(seed, width=size[0], height=size[1]).save(path)
