"""Files written byte by byte, because no honest encoder writes them: PNG chunks, lying headers, odd colour models."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from tests.imaging.pictures import encoded, noise

STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera lays down the pixels of an upright picture for each value of the EXIF tag that puts them upright."""

_ORIENTATION = 0x0112
_PNG_START = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk, its checksum right."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int, *, bits: int = 8, colour: int = 0) -> bytes:
    """The start of a PNG of any claimed size; colour 0 is grey, 2 RGB, 6 RGBA."""
    return _PNG_START + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


def one_colour_png(width: int, height: int, *, colour: int = 2) -> bytes:
    """A real PNG of one colour, packed row by row: hundreds of megapixels in a few hundred kilobytes."""
    row = b"\0" + bytes({0: 1, 2: 3, 6: 4}[colour] * width)
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png_header(width, height, colour=colour) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def png_with(kind: bytes, body: bytes) -> bytes:
    """A good PNG with one more chunk, right after its header."""
    plain = encoded(noise(20), "PNG")
    header_end = len(_PNG_START) + 25
    return plain[:header_end] + chunk(kind, body) + plain[header_end:]


def text_bomb(kind: bytes, *, unpacked_mib: int) -> bytes:
    """A PNG whose text unpacks to so much; kind is b"zTXt" or b"iTXt"."""
    packed = zlib.compress(b"x" * (unpacked_mib << 20), 1)
    return png_with(kind, b"bomb\0\0" + packed if kind == b"zTXt" else b"bomb\0\1\0\0\0" + packed)


def profile_bomb(*, unpacked_mib: int) -> bytes:
    """A PNG whose colour profile unpacks to so much."""
    return png_with(b"iCCP", b"bomb\0\0" + zlib.compress(b"x" * (unpacked_mib << 20), 1))


def rotated(orientation: int, kind: str = "PNG") -> bytes:
    """One and the same upright picture, its pixels laid down turned, its EXIF tag telling how."""
    turn = STORED_AS[orientation]
    upright = noise(21, width=300, height=200)
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    return encoded(upright if turn is None else upright.transpose(turn), kind, exif=exif)


def animation(kind: str, **options: object) -> bytes:
    """Three frames; the first is the picture."""
    frames = [noise(seed, width=90, height=70) for seed in (22, 23, 24)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **options)


def ycck_jpeg() -> bytes:
    """CMYK as Adobe's programs write it: the marker says YCCK (transform 2) instead of what Pillow writes (0)."""
    data = encoded(noise(25).convert("CMYK"))
    adobe = data.index(b"Adobe")
    return data[: adobe + 11] + b"\x02" + data[adobe + 12 :]


def with_profile(profile: bytes, *, mode: str = "RGB") -> bytes:
    """A JPEG with this colour profile."""
    return encoded(noise(26).convert(mode), icc_profile=profile)


def srgb_profile() -> bytes:
    """A sound profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def huge_exif_jpeg() -> bytes:
    """The largest EXIF block that a JPEG holds, all of it one comment."""
    exif = Image.Exif()
    exif[0x010E] = "x" * 65_000
    return encoded(noise(27), exif=exif)


def corrupt_exif_jpeg() -> bytes:
    """EXIF whose directory claims 65,535 entries at an offset outside the block."""
    return encoded(noise(28), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff" * 40)


def many_texts_png() -> bytes:
    """200 text blocks of half a MiB each, packed to nothing: each within bounds, together 100 MiB."""
    texts = PngImagePlugin.PngInfo()
    for number in range(200):
        texts.add_text(f"key{number}", "x" * (1 << 19), zip=True)
    return encoded(noise(29), "PNG", pnginfo=texts)


def float_tiff(values: np.ndarray) -> bytes:
    """A TIFF of float32 values."""
    return encoded(Image.fromarray(values.astype(np.float32)), "TIFF")


def clear_palette(kind: str) -> bytes:
    """A palette with a colour that stands for nothing."""
    file = io.BytesIO()
    noise(30).quantize(16).save(file, kind, transparency=3)
    return file.getvalue()


def claimed(data: bytes, width: int, height: int) -> bytes:
    """A JPEG with other dimensions in its header than it holds."""
    frame = data.index(b"\xff\xc0")
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]
