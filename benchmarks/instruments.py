"""How fast pictures of instruments are read on one core: `python -m benchmarks.instruments`.

Reading is decoding, the crop for the backbone and the thumbnail, in this process. A CT slice of 512 × 512 (16 bits,
with rescale and window), the same as a TIFF and a PNG of 12 bits, and as a JPEG of 8 bits; processor time, medians
of rounds in turn.
"""

import io
import statistics
import time

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from benchmarks.machine import machine
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.workers import picture_of

SIDE_PX, ROUNDS, A_ROUND = 512, 9, 20


def slice_of_noise() -> "np.ndarray[tuple[int, int], np.dtype[np.uint16]]":
    """Smooth noise of 12 bits (H, W)."""
    small = np.random.default_rng(0).random((SIDE_PX // 8, SIDE_PX // 8)).astype(np.float32)
    smooth = np.asarray(Image.fromarray(small).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))
    return (np.clip(smooth, 0, 1) * 4095).astype(np.uint16)


def dicom_of(values: "np.ndarray[tuple[int, int], np.dtype[np.uint16]]") -> bytes:
    """A CT slice as scanners write it, uncompressed."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.Rows, made.Columns = values.shape
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.RescaleSlope, made.RescaleIntercept, made.WindowCenter, made.WindowWidth = 1, -1024, 40, 400
    made.PixelData = values.tobytes()
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()


def encoded(image: Image.Image, format_: str) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    image.save(file, format_)
    return file.getvalue()


def main() -> None:
    """Measure and print."""
    values = slice_of_noise()
    files = {
        "CT slice, DICOM": dicom_of(values),
        "12 bits, TIFF": encoded(Image.fromarray(values), "TIFF"),
        "12 bits, PNG": encoded(Image.fromarray(values), "PNG"),
        "8 bits, JPEG": encoded(Image.fromarray((values >> 4).astype(np.uint8)), "JPEG"),
    }
    sheet, taken = Preprocessing(rendering=Rendering(0, 4095)), {kind: [0.0] * 0 for kind in files}
    for number in range(ROUNDS + 1):
        for kind, data in files.items():
            start = time.process_time()
            for _ in range(A_ROUND):
                picture_of(data, sheet, content=0)
            if number:  # the first imports
                taken[kind].append((time.process_time() - start) / A_ROUND)
    print(machine())
    for kind, seconds in taken.items():
        each = statistics.median(seconds)
        print(f"{kind:16} {1000 * each:5.1f} ms, {1 / each:4.0f} a second and core")


if __name__ == "__main__":
    main()
