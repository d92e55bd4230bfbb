"""The zoo: every kind of file that makes readers of pictures fall over, each with what is expected of it."""

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pillow_heif import register_heif_opener

from tests.hostile.encode import (
    animation,
    chunk,
    claimed,
    clear_palette,
    corrupt_exif_jpeg,
    float_tiff,
    huge_exif_jpeg,
    many_texts_png,
    one_colour_png,
    png_header,
    profile_bomb,
    rotated,
    srgb_profile,
    text_bomb,
    with_profile,
    ycck_jpeg,
)
from tests.imaging.instruments import ring_tiff, values
from tests.imaging.pictures import encoded, noise
from url_viz.imaging.scan import absolute

register_heif_opener()
PLAIN_KINDS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "tif": "TIFF", "bmp": "BMP", "heic": "HEIF"}
"""The formats people keep pictures in, by ending."""
MORE_KINDS = {"jp2": "JPEG2000", "avif": "AVIF", "ppm": "PPM", "tga": "TGA", "ico": "ICO", "pcx": "PCX"}
LARGE = (12_000, 5_000)
"""A real picture of 60 megapixels."""


@dataclass(frozen=True)
class Case:
    """One file: its root-relative path, its bytes, and the words of its reason; `reason` None is a good picture."""

    path: bytes
    data: bytes
    reason: str | None = None
    size: tuple[int, int] | None = None
    """Its upright (width, height), where that says something."""


@dataclass(frozen=True)
class Special:
    """What is no plain file: `make` puts it at the path it is given."""

    path: bytes
    make: Callable[[bytes], None]
    reason: str | None = None


def build(root: Path, cases: list[Case | Special]) -> None:
    """Write cases below `root`."""
    for case in cases:
        path = absolute(root, case.path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(case, Special):
            case.make(path)
        else:
            with open(path, "xb") as file:
                file.write(case.data)


def everything() -> list[Case | Special]:
    """The whole zoo, every path once."""
    groups = (good(), oriented(), truncated(), impostors(), bombs(), named(), specials(), in_two_places())
    return [case for group in groups for case in group]


def good() -> Iterator[Case]:
    """Odd, and all right."""
    for number, (ending, kind) in enumerate({**PLAIN_KINDS, **MORE_KINDS}.items()):
        size = None if kind == "ICO" else (64, 48)  # an icon is made smaller as it is saved
        yield Case(f"good/plain.{ending}".encode(), encoded(noise(100 + number), kind), size=size)
    yield from _odd_colours()
    yield from _odd_metadata()
    yield Case(b"good/really-a-png.jpg", encoded(noise(40), "PNG"))
    yield Case(b"good/really-a-heic.jpg", encoded(noise(41), "HEIF"))
    yield Case(b"good/LOUD.JPEG", encoded(noise(42)))
    yield Case(b"good/animated.gif", animation("GIF"), size=(90, 70))
    yield Case(b"good/animated.webp", animation("WEBP"), size=(90, 70))
    yield Case(b"good/animated-apng.png", animation("PNG", default_image=False), size=(90, 70))
    yield Case(b"good/1x1.png", encoded(Image.new("RGB", (1, 1), "red"), "PNG"), size=(1, 1))
    yield Case(b"good/1x10000.png", encoded(Image.new("RGB", (1, 10_000), "red"), "PNG"), size=(1, 10_000))
    yield Case(b"good/10000x1.jpg", encoded(Image.new("RGB", (10_000, 1), "red")), size=(10_000, 1))
    yield Case(b"good/large.png", one_colour_png(*LARGE), size=LARGE)
    yield Case(b"good/" + b"deep/" * 100 + b"nested.png", encoded(noise(43), "PNG"))


def _odd_colours() -> Iterator[Case]:
    ramp = np.linspace(0, 1, 48 * 64).reshape(48, 64)
    yield Case(b"good/cmyk.jpg", encoded(noise(50).convert("CMYK")))
    yield Case(b"good/ycck.jpg", ycck_jpeg())
    yield Case(b"good/lab.tif", encoded(noise(51).convert("LAB"), "TIFF"))
    yield Case(b"good/one-bit.png", encoded(noise(52).convert("1"), "PNG"))
    yield Case(b"good/one-bit.tif", encoded(noise(53).convert("1"), "TIFF", compression="group4"))
    yield Case(b"good/grey-alpha.png", encoded(noise(54).convert("LA"), "PNG"))
    yield Case(b"good/alpha.webp", encoded(noise(55).convert("RGBA"), "WEBP"))
    yield Case(b"good/sixteen-bit.png", encoded(Image.fromarray((ramp * 65535).astype(np.uint16)), "PNG"))
    yield Case(b"good/sixteen-bit.tif", encoded(Image.fromarray((ramp * 65535).astype(np.uint16)), "TIFF"))
    yield Case(b"good/thirty-two-bit.tif", encoded(Image.fromarray((ramp * (2**31 - 1)).astype(np.int32)), "TIFF"))
    yield Case(b"good/float.tif", float_tiff(ramp * 20 - 10))
    yield Case(b"good/float-one-value.tif", float_tiff(np.full((48, 64), -3.0)))
    yield Case(b"good/float-nan-inf.tif", float_tiff(np.where(ramp < 0.5, np.nan, np.inf)))
    yield Case(b"good/float-widest.tif", float_tiff(np.where(ramp < 0.5, -3e38, 3e38)))
    yield Case(b"good/clear-palette.png", clear_palette("PNG"))
    yield Case(b"good/clear-palette.gif", clear_palette("GIF"))


def _odd_metadata() -> Iterator[Case]:
    sound = srgb_profile()
    yield Case(b"good/profile.jpg", with_profile(sound))
    yield Case(b"good/corrupt-profile.jpg", with_profile(b"\xff" * 3_000))
    yield Case(b"good/cut-profile.jpg", with_profile(sound[: len(sound) // 2]))
    yield Case(b"good/corrupt-profile-cmyk.jpg", with_profile(b"\0" * 300, mode="CMYK"))
    yield Case(b"good/wrong-profile-cmyk.jpg", with_profile(sound, mode="CMYK"))
    yield Case(b"good/huge-profile.jpg", with_profile(sound + b"\0" * 5_000_000))
    yield Case(b"good/huge-exif.jpg", huge_exif_jpeg())
    yield Case(b"good/corrupt-exif.jpg", corrupt_exif_jpeg())
    yield Case(b"good/orientation-99.png", _with_orientation(99))
    yield Case(b"good/trailing-rubbish.jpg", encoded(noise(44)) + b"rubbish" * 1000)


def _with_orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return encoded(noise(45), "PNG", exif=exif)


def oriented() -> Iterator[Case]:
    """The eight EXIF orientations of one picture."""
    for number in range(1, 9):
        yield Case(f"oriented/{number}.png".encode(), rotated(number), size=(300, 200))
        yield Case(f"oriented/{number}.jpg".encode(), rotated(number, "JPEG"), size=(300, 200))


def truncated() -> Iterator[Case]:
    """Each format, cut at every tenth."""
    for number, (ending, kind) in enumerate({**PLAIN_KINDS, "jp2": "JPEG2000", "avif": "AVIF"}.items()):
        whole = encoded(noise(60 + number, width=160, height=120), kind)
        for tenth in range(1, 10):
            data = whole[: len(whole) * tenth // 10]
            yield Case(f"truncated/{ending}-{tenth}0.{ending}".encode(), data, "cut short|damaged")


def impostors() -> Iterator[Case]:
    """No pictures, whatever their names say."""
    for name, data, reason in (
        ("empty.png", b"", "is empty"),
        ("page.jpg", b"\n<!DOCTYPE html><html><body>404</body></html>", "HTML page"),
        ("drawing.png", b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        ("pointer.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        ("document.jpg", b"%PDF-1.7\n", "PDF"),
        ("text.jpg", b"hello", "in a known image format"),
        ("zeros.jpg", bytes(10_000), "in a known image format"),
        ("archive.png", b"PK\x03\x04" + bytes(100), "in a known image format"),
        ("postscript.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "in a known image format"),
        ("only-a-header.jpg", encoded(noise(46))[:300], "cut short|damaged"),
        ("no-pixels.png", png_header(64, 48), "cut short|damaged"),
        ("checksum.png", _one_bit_wrong(encoded(noise(47), "PNG")), "damaged|cut short"),
    ):
        yield Case(b"impostors/" + name.encode(), data, reason)


def _one_bit_wrong(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def bombs() -> Iterator[Case]:
    """Small files that ask for a lot."""
    pixels = chunk(b"IDAT", b"")
    yield Case(b"bombs/header.png", png_header(60_000, 60_000) + pixels, "far larger than")
    yield Case(b"bombs/largest-header.png", png_header(2**31 - 1, 2**31 - 1, colour=6) + pixels, "far larger than")
    yield Case(b"bombs/header.jpg", claimed(encoded(noise(48)), 65_500, 65_500), "far larger than")
    yield Case(b"bombs/panorama.png", png_header(20_000, 20_000) + pixels, "20,000 × 20,000 pixels; more than 300")
    yield Case(b"bombs/rows-missing.png", png_header(8_000, 8_000) + chunk(b"IDAT", b"x\x9c"), "cut short|damaged")
    # An end marker where more pixels should be: libjpeg fills up with grey and calls it a picture, as viewers do.
    yield Case(b"bombs/claims-more-than-it-holds.jpg", claimed(encoded(noise(49)), 3_000, 3_000), size=(3_000, 3_000))
    yield Case(b"bombs/ztxt.png", text_bomb(b"zTXt", unpacked_mib=80), "too large")
    yield Case(b"bombs/itxt.png", text_bomb(b"iTXt", unpacked_mib=80), "too large")
    yield Case(b"bombs/profile.png", profile_bomb(unpacked_mib=80), "too large")
    yield Case(b"bombs/many-texts.png", many_texts_png(), "oo much memory")
    yield Case(b"bombs/ring.tif", ring_tiff(values(6, 48, 64), last=6), "form a ring")


def named() -> Iterator[Case]:
    """Good pictures under names that break shells, tables and terminals."""
    names = (
        b"new\nline.png",
        b"quote'\".png",
        "emoji 🙂 画.png".encode(),
        b"not-utf8-\xff\xfe.png",
        b"-rf.png",
        b"--help.png",
        b"<script>alert(1)</script>.png".replace(b"/", b"\\"),
        b"=cmd|' !A0.png",
        b"\x1b[31mred.png",
        b" leading and trailing .png",
        b"%2e%2e%2f.png",
        b"e\xcc\x81 decomposed.png",
        b"\xc3\xa9 composed.png",
        b"n" * 251 + b".png",
    )
    for number, name in enumerate(names):
        yield Case(b"named/" + name, encoded(noise(70 + number), "PNG"))


def specials() -> Iterator[Special]:
    """What only looks like a file."""
    yield Special(b"specials/pipe.png", os.mkfifo, "not a plain file")
    yield Special(b"specials/socket.png", _socket, "cannot be opened|not a plain file")
    yield Special(b"specials/dangling.png", lambda path: os.symlink(b"nowhere.png", path), "symlink to nothing")
    yield Special(b"specials/itself.png", lambda path: os.symlink(b"itself.png", path), "symbolic links")
    yield Special(b"specials/device.png", lambda path: os.symlink(b"/dev/zero", path), "not a plain file")
    if os.geteuid() != 0:  # root reads anything
        yield Special(b"specials/locked.png", _locked, "permission denied")


def in_two_places() -> Iterator[Case | Special]:
    """Files and folders that are there twice: links are followed, a folder is never walked twice."""
    yield Case(b"twice/here.png", encoded(noise(90), "PNG"))
    yield Special(b"twice/symlink.png", lambda path: os.symlink(b"here.png", path))
    yield Special(b"twice/hardlink.png", lambda path: os.link(os.path.join(os.path.dirname(path), b"here.png"), path))
    yield Special(b"twice/loop", lambda path: os.symlink(b"..", path))
    yield Special(b"twice/again", lambda path: os.symlink(b".", path))


def _socket(path: bytes) -> None:
    """A Unix socket's file; its path may be longer than an address holds, so it is bound from its own folder."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{folder}/{os.path.basename(path).decode()}")
    os.close(folder)


def _locked(path: bytes) -> None:
    with open(path, "xb") as file:
        file.write(encoded(noise(91), "PNG"))
    os.chmod(path, 0)
