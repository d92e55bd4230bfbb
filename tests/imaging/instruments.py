"""Files as instruments write them: values of more than 8 bits as PNG, TIFF and DICOM."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def values(*shape: int, most: int = 4095, kind: Any = np.uint16) -> NDArray[Any]:
    return (np.random.default_rng(0).random(shape) * most).astype(kind)


def seen(array: NDArray[Any], most: float = 4095) -> NDArray[np.uint8]:
    return (np.clip(array.astype(np.float64), 0, most) * 255 / most).round().astype(np.uint8)


def png(array: NDArray[Any], *, significant: int | None = None) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write in colour."""
    height, width, *channels = array.shape
    kind = {(): 0, (2,): 4, (3,): 2, (4,): 6}[tuple(channels)]

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    said = b"" if significant is None else chunk(b"sBIT", bytes([significant] * (channels[0] if channels else 1)))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + said + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(array: NDArray[Any], **how: Any) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, array, **how)
    return file.getvalue()


def ring_tiff(pages: NDArray[Any], *, last: int) -> bytes:
    """A stack in which the directory of page `last` (from 1) leads back to the first."""
    data = bytearray(tiff(pages, photometric="minisblack"))
    with tifffile.TiffFile(BytesIO(data)) as file:
        first, back = file.pages[0].offset, file.pages[last - 1].offset
    after = back + 2 + 12 * struct.unpack_from("<H", data, back)[0]
    struct.pack_into("<I", data, after, first)
    return bytes(data)


def dicom(array: NDArray[Any], *, frames: int = 1, **tags: Any) -> bytes:
    """A DICOM file of grey values (H, W), or (frames, H, W), or of colours (H, W, 3) of 8 bits."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid(entropy_srcs=["url-viz"])
    is_colour = frames == 1 and array.ndim == 3
    made.Rows, made.Columns = array.shape[:2] if is_colour else array.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = (3, "RGB") if is_colour else (1, "MONOCHROME2")
    if is_colour:
        made.PlanarConfiguration = 0
    made.BitsAllocated = 8 * array.dtype.itemsize
    made.BitsStored, made.HighBit = made.BitsAllocated, made.BitsAllocated - 1
    made.PixelRepresentation = int(array.dtype.kind == "i")
    if frames > 1:
        made.NumberOfFrames = frames
    made.PixelData = array.tobytes()
    for name, value in tags.items():
        setattr(made, name, value)
    file = BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()
