"""DICOM files: their pixels as they are to be displayed, and the few facts that are kept of them."""

import hashlib
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np

from url_viz.base.errors import ImageError
from url_viz.imaging.deep import Deep, deep_from_array
from url_viz.imaging.rendering import Range

MARK, MARK_AT = b"DICM", 128
MOST_PIXELS = 300_000_000
FACTS = {
    "patient": "PatientID",
    "study_date": "StudyDate",
    "modality": "Modality",
    "body_part": "BodyPartExamined",
    "laterality": "ImageLaterality",
    "view": "ViewPosition",
}
"""The columns that are kept, and DICOM's names for them; nothing else in a file's header is stored or shown."""
VARIABLE = "URL_VIZ_PATIENTS"
"""The environment variable that is `digest` if digests take the place of patients' ids."""
_TAGS = [*FACTS.values(), "Laterality", "NumberOfFrames", "BitsStored", "SamplesPerPixel"]
_LIBRARIES = "pip install 'url-viz[medical]'"
_DIGEST_BYTES = 6
_DATE_DIGITS = 8


def is_dicom(data: bytes) -> bool:
    """Whether a file is DICOM by its content, whatever its name."""
    return data[MARK_AT : MARK_AT + len(MARK)] == MARK


def dicom_facts(file: BinaryIO) -> tuple[int, int, int, dict[str, str]]:
    """The frames, bits and bands of an open file, and the facts in its header. Raises ImageError if it is damaged."""
    header = _header(file, stop_before_pixels=True, specific_tags=_TAGS)
    facts = {name: text for name, tag in FACTS.items() if (text := _text(header.get(tag)))}
    if "laterality" not in facts and (text := _text(header.get("Laterality"))):
        facts["laterality"] = text
    if len(date := facts.get("study_date", "")) == _DATE_DIGITS and date.isdigit():
        facts["study_date"] = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    if "patient" in facts and os.environ.get(VARIABLE) == "digest":
        facts["patient"] = hashlib.blake2b(facts["patient"].encode(), digest_size=_DIGEST_BYTES).hexdigest()
    bits, bands = (int(_first(header.get(name)) or 1) for name in ("BitsStored", "SamplesPerPixel"))
    return _frames(header), bits, bands, facts


def read_dicom(data: bytes) -> Deep:
    """The values of a file's first frame, rescaled, with its window. Raises ImageError with a readable reason."""
    header = _header(io.BytesIO(data))
    try:
        with _silence():
            return _deep(header)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("needs more memory than there is") from error
    except Exception as error:  # a hostile file makes a reader raise nearly anything; each is shown as a failure
        raise ImageError(_why_not(error)) from error


def dicom_frame(data: bytes, number: int) -> bytes:
    """One frame (from 0) of a file, as a file of its own. Raises ImageError if there is none."""
    import pydicom
    from pydicom.pixels import pixel_array

    header = _header(io.BytesIO(data), stop_before_pixels=True)
    if not 0 <= number < _frames(header):
        raise ImageError(f"has no frame {number}")
    try:
        with _silence():
            frame = pixel_array(_whole(data), index=number, raw=True)
        header.set_pixel_data(frame, header.PhotometricInterpretation, header.BitsStored)
        header.pop("NumberOfFrames", None)
        file = io.BytesIO()
        pydicom.dcmwrite(file, header)
    except Exception as error:  # as above
        raise ImageError(_why_not(error)) from error
    return file.getvalue()


@lru_cache(maxsize=1)
def _whole(data: bytes) -> Any:
    """A file whose frames are asked for one after another; parsing it copies all of them."""
    return _header(io.BytesIO(data))


@contextmanager
def _silence() -> Iterator[None]:
    """Keep libraries from printing about a file: they write to the terminal itself."""
    before, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nothing)


def _header(file: BinaryIO, **how: Any) -> Any:
    try:
        import pydicom

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd values, whose reason is given where they are used
            return pydicom.dcmread(file, **how)
    except ImportError as error:
        raise ImageError(f"is DICOM, which takes pydicom: {_LIBRARIES}") from error
    except Exception as error:  # as above
        raise ImageError(_why_not(error)) from error


def _deep(header: Any) -> Deep:
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

    has_pixels = any(name in header for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
    if not has_pixels or "Rows" not in header or "Columns" not in header:
        raise ImageError(f"is DICOM without pixels ({_text(header.get('Modality')) or 'of no modality'})")
    if int(header.Rows) * int(header.Columns) > MOST_PIXELS:
        raise ImageError(
            f"is {header.Columns} × {header.Rows} pixels; more than {MOST_PIXELS // 10**6} million are not read"
        )
    values = pixel_array(header, index=0)
    kind = str(header.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        values = apply_color_lut(values, header)
        values = values if values.dtype == np.uint8 else (values >> 8).astype(np.uint8)
    if values.ndim == 3:
        stated = None if values.dtype == np.uint8 else (0.0, float(2 ** int(header.BitsStored) - 1))
        return deep_from_array(values, window=stated)
    window = _window(header)
    bits, is_signed = int(header.get("BitsStored", 16)), bool(header.get("PixelRepresentation", 0))
    stated = None if is_signed else _rescaled(header, 0.0, float(2**bits - 1))
    values = apply_modality_lut(values, header)
    if "VOILUTSequence" in header:
        values = apply_voi_lut(values, header)
        window = 0.0, float(2 ** int(header.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    is_inverted = kind == "MONOCHROME1"
    if window is None and bits < 8:
        window = stated
    if window is None and stated == (0.0, 255.0):
        values = values.astype(np.uint8)
    return deep_from_array(values, stated=stated, window=window, is_inverted=is_inverted)


def _window(header: Any) -> Range | None:
    """The first window, as DICOM PS3.3 C.11.2.1.2 has it: centre and width."""
    centre, width = (_first(header.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or width < 1:
        return None
    return (centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2) if width > 1 else None


def _rescaled(header: Any, low: float, high: float) -> Range:
    slope, intercept = (_first(header.get(name)) for name in ("RescaleSlope", "RescaleIntercept"))
    ends = sorted(value * (1.0 if slope is None else slope) + (intercept or 0.0) for value in (low, high))
    return ends[0], ends[1]


def _first(value: Any) -> float | None:
    """The number, or the first of several; None if it is no number."""
    several = hasattr(value, "__len__") and not isinstance(value, str)
    try:
        return float(value[0] if several else value)
    except (TypeError, ValueError, IndexError):
        return None


def _frames(header: Any) -> int:
    count = _first(header.get("NumberOfFrames"))
    return int(count) if count is not None and count >= 1 else 1


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()[:64]


def _why_not(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "missing" in text and ("dependencies" in text or "plugin" in text):
        return f"is DICOM compressed in a way that takes another library: {_LIBRARIES}"
    if "12-bit precision" in text:
        return "is DICOM compressed as JPEG of 12 bits, which is not read; save it uncompressed or as JPEG 2000"
    if "Unable to decode" in text:
        return "is DICOM whose compressed pixels are damaged, or of a kind that is not read"
    return f"is DICOM that cannot be read: {text[:200] or type(error).__name__}"
