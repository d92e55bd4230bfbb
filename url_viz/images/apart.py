"""Read one picture in a process of its own, so that a decoder that crashes takes nothing else with it."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from url_viz.images.preprocess import Preprocessing
from url_viz.images.read import Failure, Picture, Reading, read_picture

MOST_S = 120
MOST_MEMORY_BYTES = 6 << 30
"""Twice of what the largest picture that is read takes."""

_BEGUN = b"begun\n"
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def read_apart(path: bytes, preprocessing: Preprocessing, *, most_s: float = MOST_S) -> Reading:
    """Like `read_picture`, at the cost of a process, bounded in time and memory: also a crash is a Failure."""
    command = [sys.executable, "-m", "url_viz.images.apart", json.dumps(preprocessing.as_record()), os.fsdecode(path)]
    try:
        done = subprocess.run(command, env=_environment(), capture_output=True, timeout=most_s, check=False)
    except subprocess.TimeoutExpired:
        return Failure(f"takes longer than {most_s:g} s to read, or never ends")
    if -done.returncode in _STOPS:  # somebody stops us, and the process below heard of it first
        raise KeyboardInterrupt
    begun, _, answer = done.stdout.partition(_BEGUN)
    if len(begun) == len(done.stdout):
        raise RuntimeError(f"Pictures cannot be read in a process of their own: {done.stderr.decode(errors='replace')}")
    return _unpacked(answer) if done.returncode == 0 else Failure(_why_it_ended(done.returncode))


def _environment() -> dict[str, str]:
    """This process's own, in which the one below finds the same modules, and starts no needless threads."""
    ours = {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path), "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **ours}


def _why_it_ended(status: int) -> str:
    if -status == signal.SIGKILL:
        return "ends the process that reads it (killed, SIGKILL): it likely needs more memory than there is"
    how = signal.Signals(-status).name if -status in set(signal.Signals) else f"exit status {status}"
    return f"ends the process that reads it ({how}): it is damaged, or made to crash a decoder"


def _packed(reading: Reading) -> bytes:
    file = io.BytesIO()
    if isinstance(reading, Picture):
        facts = np.array([reading.content, reading.width, reading.height], np.int64)
        np.savez(file, facts=facts, crop=reading.crop, thumbnail=np.frombuffer(reading.thumbnail, np.uint8))
    else:
        assert isinstance(reading, Failure), "nothing is known to this process"
        np.savez(file, reason=np.frombuffer(reading.reason.encode("utf-8", "backslashreplace"), np.uint8))
    return file.getvalue()


def _unpacked(data: bytes) -> Reading:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        if "reason" in arrays:
            return Failure(arrays["reason"].tobytes().decode())
        content, width, height = arrays["facts"].tolist()
        return Picture(content, width, height, arrays["crop"], arrays["thumbnail"].tobytes())


def _bound_memory() -> None:
    """Let this process be refused memory, and be the first to go, rather than the one that waits for it."""
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Read the picture that the arguments name, and write what comes of it to stdout."""
    record = json.loads(sys.argv[1])
    preprocessing = Preprocessing(**record | {"mean": tuple(record["mean"]), "std": tuple(record["std"])})
    _bound_memory()
    os.write(1, _BEGUN)
    answer = _packed(read_picture(os.fsencode(sys.argv[2]), preprocessing))
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    main()
