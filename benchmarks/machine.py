"""The measuring machine: processor, cores, and the versions that matter."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "timm", "openvino", "lancedb", "umap-learn", "numpy", "streamlit")


def machine() -> str:
    """One line for a report."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}; {versions}."


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
