"""DICOM files: pixels as they are to be displayed, hand-worked; pydicom's own files; and what is kept of a header."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest

from tests.imaging.instruments import dicom, seen, values
from url_viz.base.errors import ImageError
from url_viz.imaging.decode import decode, header_of, picture_format, value_sample
from url_viz.imaging.dicom import dicom_facts, dicom_frame
from url_viz.imaging.pages import PagedFile, paged
from url_viz.imaging.rendering import Rendering

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
RAMP = np.array([[0, 1000, 2000, 4000]], np.int16)


def grey(data: bytes, rendering: Rendering | None = None) -> list[int]:
    found: list[int] = np.asarray(decode(data, rendering=rendering)[0])[..., 0].ravel().tolist()
    return found


def test_values_are_rescaled_and_seen_in_their_window() -> None:
    """Centre 40 and width 400 (soft tissue) of values less 1,024: from −160 to 239."""
    data = dicom(RAMP, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400)
    assert grey(data) == [0, round((-24 + 160) * 255 / 399), 255, 255]
    several = dicom(RAMP, RescaleIntercept=-1024, RescaleSlope=1, WindowCenter=[40, 500], WindowWidth=[400, 2000])
    assert grey(several) == grey(data), "the first of several"
    chosen = Rendering(-1024, 2976, is_chosen=True)
    assert grey(data, chosen) == [0, 64, 128, 255], "a range that was chosen is of rescaled values"
    assert grey(data, Rendering(-1024, 2976)) == grey(data), "its window comes before the range of the set"
    assert value_sample(data).window == (-160, 239)  # type: ignore[union-attr]


def test_without_a_window_the_bits_say_the_range() -> None:
    data = dicom(np.array([[0, 4095]], np.uint16), BitsStored=12, HighBit=11)
    found = value_sample(data)
    assert found is not None
    assert found.stated == (0, 4095)
    assert grey(data, Rendering(0, 4095)) == [0, 255]
    assert value_sample(dicom(RAMP)).stated is None, "signed values say none"  # type: ignore[union-attr]


def test_where_white_is_zero_values_are_inverted() -> None:
    tags = {"WindowCenter": 2048, "WindowWidth": 4097}
    plain, inverted = dicom(RAMP, **tags), dicom(RAMP, PhotometricInterpretation="MONOCHROME1", **tags)
    assert grey(inverted) == [255 - value for value in grey(plain)]


def test_colours_and_eight_bits_are_what_they_are() -> None:
    colour = values(30, 40, 3, most=255, kind=np.uint8)
    assert np.array_equal(np.asarray(decode(dicom(colour))[0]), colour)
    plain = values(30, 40, most=255, kind=np.uint8)
    assert np.array_equal(np.asarray(decode(dicom(plain), rendering=Rendering(0, 4095))[0])[..., 0], plain)
    mask = np.array([[0, 1]], np.uint8)
    assert grey(dicom(mask, BitsStored=1, HighBit=0)) == [0, 255]
    assert header_of(dicom(colour)) == (40, 30, 1)
    assert picture_format(dicom(colour)) == "DICOM"


def test_a_frame_is_a_file_of_its_own() -> None:
    frames = values(3, 30, 40, kind=np.uint16)
    data = dicom(frames, frames=3, PatientID="P1", BitsStored=12, HighBit=11)
    for number, frame in enumerate(frames):
        assert grey(dicom_frame(data, number), Rendering(0, 4095)) == seen(frame).ravel().tolist()
    with pytest.raises(ImageError, match="has no frame 3"):
        dicom_frame(data, 3)
    assert paged(BytesIO(data)) == PagedFile(3, {"patient": "P1", "pages": "3", "bits": "12", "bands": "1"})


def test_only_few_facts_are_kept_of_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dicom(
        RAMP,
        PatientID=" 007 ",
        PatientName="Doe^Jane",
        PatientBirthDate="19700101",
        StudyDate="20240131",
        Modality="CR",
        BodyPartExamined="HAND",
        Laterality="L",
        ViewPosition="PA",
    )
    facts = {"study_date": "2024-01-31", "modality": "CR", "body_part": "HAND", "laterality": "L", "view": "PA"}
    assert dicom_facts(BytesIO(data)) == (1, 16, 1, {"patient": "007", **facts})
    monkeypatch.setenv("URL_VIZ_PATIENTS", "digest")
    *_, digested = dicom_facts(BytesIO(data))
    assert {name: text for name, text in digested.items() if name != "patient"} == facts
    assert len(digested["patient"]) == 12
    assert digested["patient"] != "007"
    assert dicom_facts(BytesIO(data))[-1] == digested, "the same patient each time"


def named() -> list[Path]:
    files = sorted(path for path in FILES.iterdir() if path.is_file() and path.suffix in (".dcm", ""))
    return [path for path in files if path.read_bytes()[128:132] == b"DICM"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # of the test's own reading of odd files
@pytest.mark.parametrize("path", named(), ids=lambda path: path.name)
def test_the_library_s_own_files_are_right_or_truly_refused(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Those that are read: at least two values, and those without a window or modality as pydicom gives them."""
    data = path.read_bytes()
    try:
        image, size = decode(data)
    except ImageError as error:
        why = str(error)
        reasons = "without pixels", "JPEG of 12 bits", "less than expected", "invalid literal", "pixels are damaged"
        assert any(reason in why for reason in reasons), why
        return
    header = pydicom.dcmread(path)
    assert image.size == size == (header.Columns, header.Rows)
    assert np.ptp(np.asarray(image)) > 0
    pixels = np.asarray(header.pixel_array)
    if header.SamplesPerPixel == 3 and pixels.dtype == np.uint8 and header.PhotometricInterpretation == "RGB":
        first = pixels[0] if pixels.ndim == 4 else pixels
        assert np.array_equal(np.asarray(image), first)
    assert capfd.readouterr().err == "", "no library prints"


def test_what_is_no_picture_says_so() -> None:
    with pytest.raises(ImageError, match="is DICOM that cannot be read"):
        decode(dicom(RAMP)[:-3])
    with pytest.raises(ImageError, match=r"is DICOM without pixels \(SR\)"):
        decode(Path(FILES, "reportsi.dcm").read_bytes())
