"""The heat map: the part that the model sees, signs, pictures of it, and a planted part that the real model minds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import SIDE_PX
from tests.given import by_turns, given_set
from tests.imaging.pictures import encoded, noise
from url_viz.base.errors import ImageSetError
from url_viz.imaging.decode import AUTHORS, Preprocessing, decode, middle, read_file, resized
from url_viz.imaging.workers import Picture, picture_of
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.outside.occlusion import GRID, RAISES, Explained, Heat, heat_in_words, heat_of, over, overlay, seen_box
from url_viz.reading import embed_folder

SHEET = Preprocessing(size_px=SIDE_PX)
BY_HEAD = Explained("uncertainty")
OF_TWO = Explained("ambiguity", ("cat", "dog"))
OF_NEAREST = Explained("confusability", ("a.jpg",))


def heat(
    values: list[list[float]],
    of: Explained = BY_HEAD,
    *,
    base: float = 1,
    box: tuple[float, float, float, float] = (0, 0, 1, 1),
) -> Heat:
    return Heat(np.array(values, np.float32), base, of, box)


def read(image: Image.Image, sheet: Preprocessing = SHEET) -> Picture:
    return picture_of(encoded(image, "PNG"), sheet, content=0)


class TestTheBox:
    """What the model sees of a picture."""

    @pytest.mark.parametrize("size", [(500, 500), (300, 700), (1500, 300)])
    def test_it_is_where_the_crop_lies(self, size: tuple[int, int]) -> None:
        ramp = np.add.outer(np.linspace(0, 120, size[1]), np.linspace(0, 120, size[0])).astype(np.uint8)
        image = Image.fromarray(ramp).convert("RGB")
        left, top, right, bottom = seen_box(image.size, SHEET)
        box = (left * size[0], top * size[1], right * size[0], bottom * size[1])
        cut = np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC, box=box), int)
        assert np.abs(cut - middle(resized(image, SHEET), SIDE_PX).astype(int)).max() <= 4


class TestThePicture:
    def test_what_raises_is_orange_and_nothing_is_transparent(self) -> None:
        layer = np.asarray(overlay(heat([[0, 0, 0], [0, 0.5, 0], [0, 0, -0.5]]), size_px=99))
        assert tuple(layer[49, 49][:3]) == RAISES
        assert layer[49, 49, 3] > 120
        assert layer[5, 5, 3] < 20
        assert layer[90, 90, 2] > layer[90, 90, 0]

    def test_little_effect_is_faint(self) -> None:
        strong, faint = (np.asarray(overlay(heat([[0, v], [0, 0]])))[..., 3].max() for v in (0.5, 0.01))
        assert faint < strong / 5

    def test_weak_effects_are_no_veil_over_the_rest(self) -> None:
        values = np.full((6, 6), 0.3)
        values[1, 1] = 1
        layer = np.asarray(overlay(heat(values.tolist()), size_px=60))[..., 3]
        assert layer[15, 15] > 150
        assert not layer[35:, 35:].any()

    def test_only_the_part_that_is_seen_is_coloured(self) -> None:
        picture = over(Image.new("RGB", (200, 100), "white"), heat([[1.0]], box=(0.25, 0, 0.75, 1)))
        assert picture.getpixel((10, 50)) == (255, 255, 255)
        assert picture.getpixel((100, 50)) != (255, 255, 255)

    def test_words(self) -> None:
        assert "up to 20 % (at the bottom right)" in heat_in_words(heat([[0, 0], [0, 0.2]]))
        assert "(in the middle)" in heat_in_words(heat([[0, 0, 0], [0, 0.2, 0], [0, 0, 0]]))
        assert heat_in_words(heat([[-1, 0], [0, 0.001]])).endswith("hardly lowers the value. Blue parts lower it.")
        assert "Blue" not in heat_in_words(heat([[0, 0], [0, 0.2]]))

    def test_words_of_two_classes_and_of_the_nearest(self) -> None:
        """An effect on a lead or a similarity is a share of 1, however small these are."""
        assert heat_in_words(heat([[0.3, 0], [0, -0.12]], OF_TWO, base=0.01)) == (
            "Ambiguity between cat and dog. Orange parts support cat: covering them lowers its lead by up to 30 points "
            "(at the top left). Blue parts support dog: covering them raises that lead by up to 12 points "
            "(at the bottom right)."
        )
        assert "Orange" not in heat_in_words(heat([[0.01, 0], [0, -0.12]], OF_TWO, base=0.01))
        assert heat_in_words(heat([[0.3, 0], [0, -0.5]], OF_NEAREST, base=0.71)) == (
            "Confusability: likeness to the nearest picture, a.jpg. Orange parts look like it: covering them lowers "
            "the similarity by up to 30 points (at the top left)."
        )

    def test_where_nothing_is_alike_nothing_is_drawn_as_support(self) -> None:
        lone = heat([[0.3, 0], [0, -0.3]], replace(OF_TWO, too_far=0.2))
        assert heat_in_words(lone) == (
            "Ambiguity between cat and dog. Little here is like anything in the set: the nearest picture has a "
            "similarity of .20. So nothing is painted."
        )
        assert not np.asarray(overlay(lone, size_px=40))[..., 3].any()

    def test_what_is_unlike_the_nearest_is_not_drawn(self) -> None:
        values = [[0.3, 0], [0, -0.3]]
        alpha = [np.asarray(overlay(heat(values, of, base=0.5), size_px=40))[-5, -5, 3] for of in (OF_TWO, OF_NEAREST)]
        assert alpha[0] > 100
        assert alpha[1] == 0


@pytest.fixture(scope="module")
def shipped(prepared_as_shipped: Path) -> Model:
    """The default backbone under the head that is shipped for it."""
    return load_model(DEFAULT, device="cpu", workspace=prepared_as_shipped)


def crop_of(name: str) -> NDArray[np.uint8]:
    """The part that the model sees of a photograph of scikit-image."""
    import skimage

    path = Path(skimage.__file__).parent / "data" / name
    return middle(resized(decode(read_file(bytes(path)))[0], AUTHORS), AUTHORS.size_px)


def planted(kind: str, part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What takes the place of a part: noise, or a few of its own pixels enlarged until nothing can be made out."""
    if kind == "noise":
        return np.random.default_rng(0).integers(0, 256, part.shape).astype(np.uint8)
    return np.asarray(Image.fromarray(part[40:52, 40:52]).resize(part.shape[:2], Image.Resampling.BICUBIC))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "row", "column"),
    [
        ("horse.png", "noise", 0, 1),
        ("grass.png", "enlarged", 1, 0),
    ],
)
def test_a_planted_part_that_the_model_minds_is_the_maximum(
    name: str, kind: str, row: int, column: int, shipped: Model
) -> None:
    crop = crop_of(name).copy()
    before = float(shipped.uncertainty(shipped.run(crop[None]).embedding)[0])
    part = slice(112 * row, 112 * (row + 1)), slice(112 * column, 112 * (column + 1))
    crop[part] = planted(kind, crop[part])
    whole = Image.fromarray(np.pad(crop, ((16, 16), (16, 16), (0, 0)), mode="edge"))  # the margin is not seen
    found = heat_of(shipped, read(whole, AUTHORS), BY_HEAD)
    assert found.base > before
    assert found.values.max() > 0
    place = divmod(int(found.values.argmax()), GRID)
    assert (place[0] // (GRID // 2), place[1] // (GRID // 2)) == (row, column)


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["ambiguity", "confusability"])
def test_a_lone_picture_is_too_far_from_all_others_to_be_explained_by_them(tmp_path: Path, measure: str) -> None:
    rows = np.random.default_rng(0).normal(size=(2, 32))[np.arange(60) % 2]
    rows = rows + 0.5 * np.random.default_rng(1).normal(size=(60, 32))
    rows[7] = -rows.mean(axis=0)
    image_set = given_set(tmp_path, by_turns(60), rows)
    table = image_set.table()
    of_lone, of_usual = (
        image_set.explained(int(table["id"].iloc[place]), by=measure)
        for place in (table["nearest_similarity"].argmin(), table["nearest_similarity"].argmax())
    )
    assert of_lone.too_far == pytest.approx(float(table["nearest_similarity"].min()))
    assert of_usual.too_far is None


def test_of_the_entropy(bare_model: Model) -> None:
    found = heat_of(bare_model, read(noise(2, width=256, height=256)), Explained("entropy"), grid=2)
    crop = middle(resized(noise(2, width=256, height=256), SHEET), SIDE_PX)
    assert (found.explained.measure, found.values.shape) == ("entropy", (2, 2))
    assert found.base == pytest.approx(float(bare_model.run(crop[None]).entropy[0]), rel=1e-3)


def test_a_flat_picture_has_no_part_that_matters(shipped: Model) -> None:
    flat = read(Image.new("RGB", (256, 256), (90, 120, 60)), AUTHORS)
    assert np.abs(heat_of(shipped, flat, BY_HEAD, grid=2).values).max() < 1e-6


def test_of_an_image_set(folder: Path, workspace: Path, model: Model) -> None:
    image_set = embed_folder(folder, model=model, workspace=workspace)
    image_id = int(image_set.table()["id"].iloc[0])
    found = image_set.heat(image_id, by="uncertainty")
    assert found.values.shape == (GRID, GRID)
    assert found.base == pytest.approx(float(image_set.row(image_id)["uncertainty"]), rel=0.02)
    with pytest.raises(ImageSetError, match="no picture with id 5"):
        image_set.heat(5)
