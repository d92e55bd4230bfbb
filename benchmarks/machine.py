"""The measuring machine: processor, cores, the versions that matter, and the processor time that was used."""

import os
import platform
import resource
from importlib.metadata import version
from pathlib import Path

import psutil

from url_viz.base.processes import usable_cores

PACKAGES = ("torch", "timm", "openvino", "lancedb", "umap-learn", "numpy", "streamlit")


def machine() -> str:
    """One line for a report."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = f"load {os.getloadavg()[0]:.1f}"
    return f"{_processor()}, {usable_cores()} cores, {load}, Python {platform.python_version()}; {versions}."


def processor_seconds() -> float:
    """What this process and its children, those that decode, have used of all cores: as busy as others keep them."""
    tree = [psutil.Process(), *psutil.Process().children(recursive=True)]
    each = (process.cpu_times() for process in tree)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(times.user + times.system for times in each) + ended.ru_utime + ended.ru_stime


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
