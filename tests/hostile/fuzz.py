"""Mutants of valid pictures, read one after the other; run as a process, so that a crash is seen from outside."""

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from tests.hostile.encode import animation, clear_palette, rotated, srgb_profile, with_profile, ycck_jpeg
from tests.hostile.zoo import MORE_KINDS, PLAIN_KINDS
from tests.imaging.instruments import dicom, png, tiff, values
from tests.imaging.pictures import encoded, noise, read_picture
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.workers import Failure

TELLING = (0, 1, 0x7F, 0x80, 0xFF)
"""Bytes at the edges of what counts and sizes may be."""


@dataclass
class Seen:
    """What became of a run's mutants; `slowest` is a number and its seconds, `peak_mib` the process's memory."""

    read: int = 0
    refused: int = 0
    raised: list[str] = field(default_factory=list)
    slowest: tuple[int, float] = (-1, 0.0)
    peak_mib: int = 0


def parents() -> list[bytes]:
    """Valid files of every format and of the variants that take other ways through a decoder."""
    picture = noise(1)
    plain = [encoded(picture, kind) for kind in (*PLAIN_KINDS.values(), *MORE_KINDS.values())]
    jpegs = [encoded(picture, progressive=True), rotated(6, "JPEG"), with_profile(srgb_profile()), ycck_jpeg()]
    tiffs = [encoded(picture, "TIFF", compression=c) for c in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")]
    tiffs.append(encoded(picture.convert("1"), "TIFF", compression="group4"))
    others = [encoded(picture, "WEBP", lossless=True), clear_palette("PNG"), clear_palette("GIF"), rotated(8)]
    return plain + jpegs + tiffs + others + [animation(kind) for kind in ("GIF", "WEBP", "PNG")] + of_instruments()


def of_instruments() -> list[bytes]:
    """More than 8 bits, many bands, DICOM with and without a window."""
    grey, colour = values(24, 32), values(24, 32, 3)
    bands = tiff(values(24, 32, 7, kind=np.float64), photometric="minisblack", planarconfig="contig")
    window = {"WindowCenter": 900, "WindowWidth": 800, "RescaleSlope": 2, "RescaleIntercept": -100}
    colours = dicom(values(24, 32, 3, most=255, kind=np.uint8), PatientID="P1")
    return [png(grey), png(colour), tiff(grey), bands, dicom(grey), dicom(grey, **window), colours]


def mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """One to eight random changes: bits, telling bytes, lost, doubled and moved pieces; most of them near the start."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        reach = len(changed) if rng.random() < 0.5 else min(len(changed), 200)
        at, length = int(rng.integers(reach)), int(rng.integers(1, 65))
        match rng.integers(6):
            case 0:
                changed[at] ^= 1 << int(rng.integers(8))
            case 1:
                changed[at] = int(rng.choice(TELLING))
            case 2:
                changed[at : at + 4] = rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 65_535]).tobytes()[:4]
            case 3 if len(changed) > 2 * length:
                del changed[at : at + length]
            case 4:
                changed[at:at] = changed[at : at + length]
            case _:
                changed[at : at + length] = rng.bytes(length)
    return bytes(changed)


def run(folder: Path, *, first: int, count: int) -> Seen:
    """Read mutants `first` to `first + count`; the one being read always lies in `folder` under its number."""
    seen, files, preprocessing = Seen(), parents(), Preprocessing(rendering=Rendering(0, 4095))
    for number in range(first, first + count):
        path = folder / f"{number}.bin"
        path.write_bytes(mutant(files[number % len(files)], np.random.default_rng(number)))
        start = time.monotonic()
        try:
            reading = read_picture(path, preprocessing)
            is_bad = isinstance(reading, Failure)
            seen.refused, seen.read = seen.refused + is_bad, seen.read + (not is_bad)
        except BaseException as error:  # noqa: BLE001 - whatever comes out is what this looks for
            seen.raised.append(f"{number}: {error!r}")
        seconds = time.monotonic() - start
        seen.slowest = max(seen.slowest, (number, seconds), key=lambda pair: pair[1])
        path.unlink()
    seen.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return seen


if __name__ == "__main__":
    print(json.dumps(asdict(run(Path(sys.argv[1]), first=int(sys.argv[2]), count=int(sys.argv[3])))))
