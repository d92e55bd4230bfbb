"""How much memory this machine has left for another process."""

import os
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def available_mb() -> int:
    """MiB that a new process can have, as far as the kernel and this container's limit tell; 0 if neither does."""
    return min((mb for mb in (_of_kernel(), _of_container()) if mb is not None), default=0)


def _of_kernel() -> int | None:
    try:
        lines = MEMINFO.read_text().splitlines()
    except OSError:  # macOS tells only the whole memory, of which half is taken to be free
        return _half_of_all()
    kib = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if kib is None else int(kib) // 1024


def _half_of_all() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**21
    except (ValueError, OSError):
        return None


def _of_container() -> int | None:
    """What is left below the limit of a control group; None without one."""
    try:
        limit, used = ((CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used)) // 2**20
