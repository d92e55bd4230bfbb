"""Many visitors at once: `python -m benchmarks.sessions [--visitors 30] [--count 20000] [--pause 0]`.

Each is a websocket client without a browser: it opens pages of one image set in turn, and waits for each to be drawn to
its end, then pauses. Told are seconds a page, by page, and the server's resident memory before and after. Before that,
one visitor alone: CPU seconds of the server a page, which other work on the machine hardly disturbs.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.machine import machine
from benchmarks.served import served
from benchmarks.synthetic import write_synthetic_set
from url_viz.base.workspace import Workspace

PAGES = ("", "review", "search", "labels", "evaluate", "upload", "sets", "models")
"""Those that a visitor opens in turn, each beginning at another."""
ROUNDS = 8
ALONE_ROUNDS = 10
SETTLED_S = 0.2
"""After a page the server is left to finish it, before its CPU time is read."""

Visits = dict[str, list[float]]


def main() -> None:
    """Write a set, serve it, let the visitors in, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--pause", type=float, default=0.0, help="Seconds between two pages of a visitor.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace.at(Path(place) / "workspace")
        set_id = write_synthetic_set(workspace, Path(place) / "pictures", options.count)
        with served(workspace.root) as url:
            server = _server_at(url)
            asyncio.run(_visits(url, set_id, visitors=1, pause_s=0.0))  # what is worked out once is worked out
            asyncio.run(_visits(url, set_id, visitors=1, pause_s=0.0))
            cpu = asyncio.run(_cpu_of_one(url, set_id, server))
            before = _memory_mib(server)
            started = time.perf_counter()
            visits, errors = asyncio.run(_visits(url, set_id, visitors=options.visitors, pause_s=options.pause))
            took = time.perf_counter() - started
            _print(options, visits, errors, cpu=cpu, took_s=took, memory=(before, _memory_mib(server)))


def _server_at(url: str) -> psutil.Process:
    port = url.rpartition(":")[2]
    found = (process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"])
    return next(process for process in found if f"--server.port={port}" in process.info["cmdline"])


def _memory_mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 2**20)


async def _cpu_of_one(url: str, set_id: str, server: psutil.Process) -> Visits:
    """CPU seconds of the server for each visit by page, of one visitor who opens every page ten times."""
    used: Visits = defaultdict(list)
    async with _connected(url) as socket:
        for page in PAGES * ALONE_ROUNDS:
            before = _cpu_s(server)
            await _opened(socket, page, set_id)
            await asyncio.sleep(SETTLED_S)
            used[page].append(_cpu_s(server) - before)
    return used


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _connected(url: str) -> connect:
    address = f"ws{url.removeprefix('http')}/_stcore/stream"
    return connect(address, subprotocols=["streamlit"], max_size=None)  # type: ignore[list-item]


async def _visits(url: str, set_id: str, *, visitors: int, pause_s: float) -> tuple[Visits, Counter[str]]:
    """Seconds of each visit by page, and pages that ended otherwise than well."""
    visits: Visits = defaultdict(list)
    errors: Counter[str] = Counter()

    async def visitor(number: int) -> None:
        async with _connected(url) as socket:
            for turn in range(ROUNDS):
                page = PAGES[(number + turn) % len(PAGES)]
                started = time.perf_counter()
                is_well = await _opened(socket, page, set_id)
                visits[page].append(time.perf_counter() - started)
                errors[page] += not is_well
                await asyncio.sleep(pause_s)

    await asyncio.gather(*map(visitor, range(visitors)))
    return visits, +errors


async def _opened(socket: ClientConnection, page: str, set_id: str) -> bool:
    """Open a page and wait until its script has come to an end; whether it drew no exception."""
    asked = BackMsg()
    asked.rerun_script.query_string = f"set={set_id}"
    asked.rerun_script.page_name = page
    await socket.send(asked.SerializeToString())
    is_well = True
    while True:
        told = ForwardMsg.FromString(await socket.recv())  # type: ignore[arg-type]
        if told.WhichOneof("type") == "delta":
            is_well &= told.delta.new_element.WhichOneof("type") != "exception"
        is_end = told.WhichOneof("type") == "script_finished"
        if is_end and told.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            return is_well


def _print(
    options: argparse.Namespace,
    visits: Visits,
    errors: Counter[str],
    *,
    cpu: Visits,
    took_s: float,
    memory: tuple[float, float],
) -> None:
    every = [seconds for of_page in visits.values() for seconds in of_page]
    print(f"## {options.visitors} visitors on {options.count:,} pictures\n\n{machine()}\n")
    paused = f"Pause between two pages: {options.pause:g} s. {len(every)} pages in {took_s:.0f} s"
    print(f"{paused}, {errors.total()} with an error;")
    print(f"memory of the server {memory[0]:.0f} MiB before, {memory[1]:.0f} after.\n")
    print("| page | median s | nine in ten s | one visitor, CPU s |\n|---|---|---|---|")
    for page in PAGES:
        print(_row(page or "explore", visits[page], cpu[page]))
    print(_row("**all**", every, [seconds for of_page in cpu.values() for seconds in of_page]))


def _row(name: str, seconds: Sequence[float], cpu: Sequence[float]) -> str:
    """CPU time is told as a mean: it is counted in hundredths of a second."""
    times = f"{statistics.median(seconds):.2f} | {_nine_in_ten(seconds):.2f} | {statistics.mean(cpu):.3f}"
    return f"| {name} | {times} |"


def _nine_in_ten(seconds: Sequence[float]) -> float:
    return sorted(seconds)[int(0.9 * len(seconds))]


if __name__ == "__main__":
    main()
