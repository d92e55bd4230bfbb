"""Heat maps and the crop test: the part that the model sees, signs, words, what is explained, and planted parts."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import SIDE_PX
from tests.given import by_turns, given_set
from tests.imaging.pictures import encoded, noise, write_folder
from tests.labels.test_ambiguity import classes, graph_of
from tests.pipeline.whitened_examples import with_burst
from url_viz.base.errors import ImageSetError
from url_viz.image_set import ImageSet
from url_viz.imaging.decode import AUTHORS, Preprocessing, decode, middle, read_file, resized
from url_viz.imaging.workers import Picture, picture_of
from url_viz.labels.ambiguity import classify, shares_of_new
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.outside.occlusion import (
    CROP_SHARES,
    GRID,
    RAISES,
    CropTest,
    Explained,
    Heat,
    Subject,
    crop_share,
    crop_test,
    explained_measure,
    heat_in_words,
    heat_of,
    middle_of,
    over,
    overlay,
    seen_box,
)
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.twins import twin_groups
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


@pytest.mark.parametrize("size", [(500, 500), (300, 700), (1500, 300)])
def test_the_box_is_where_the_crop_lies(size: tuple[int, int]) -> None:
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
    [("horse.png", "noise", 0, 1), ("grass.png", "enlarged", 1, 0)],
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


def striped(number: int, *, upright: bool) -> NDArray[np.uint8]:
    """Stripes of one direction, of drawn widths and colours, with grain: no two pictures are twins."""
    rng = np.random.default_rng(number)
    wave = rng.integers(0, 200, (64, 3)).repeat(rng.integers(3, 9), axis=0)[:128]
    lines = np.broadcast_to(wave if upright else wave[:, None], (128, 128, 3))
    return (lines + np.asarray(noise(number, width=128, height=128), int) // 5).astype(np.uint8)


def striped_folder(folder: Path, count: int) -> Path:
    """Two classes of striped pictures, and one of either in its halves: level on the left, upright on the right."""
    for number in range(count):
        name = ("level", "upright")[number % 2]
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(striped(number, upright=number % 2 == 1)).save(folder / name / f"{number}.png")
    both = np.concatenate([striped(90, upright=False)[:, :64], striped(90, upright=True)[:, 64:]], axis=1)
    Image.fromarray(both).save(folder / "level" / "both.png")
    return folder


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory, prepared: Path, model: Model) -> ImageSet:
    folder = striped_folder(tmp_path_factory.mktemp("halves") / "pictures", 60)
    return embed_folder(folder, model=model, workspace=prepared)


def heat_in(image_set: ImageSet, path: str, by: str | None = None) -> Heat:
    table = image_set.table().set_index("path")
    return image_set.heat(int(table["id"][path]), by=by)


def test_each_half_speaks_for_its_class(tmp_path: Path, prepared_as_shipped: Path, head_file: Path) -> None:
    """At the size that the model is shipped with: at 64 px a cover moves either half by about as much as its grain."""
    model = load_model(head_file, device="cpu", workspace=prepared_as_shipped)
    halves = embed_folder(striped_folder(tmp_path / "halves", 40), model=model, workspace=tmp_path / "workspace")
    row = halves.table().set_index("path").loc["level/both.png"]
    found = heat_in(halves, "level/both.png")
    assert (halves.order().measure, found.explained.measure) == ("ambiguity", "ambiguity")
    assert found.explained.sides == (row["first_class"], row["second_class"])
    assert found.base == pytest.approx(row["first_share"] - row["second_share"], abs=0.02)
    level = found.values if found.explained.sides[0] == "level" else -found.values
    assert level[:, :2].mean() > 0.2
    assert level[:, -2:].mean() < -0.2


def test_confusability_is_of_the_nearest_and_others_of_the_picture_by_itself(halves: ImageSet) -> None:
    row: Any = halves.table().set_index("path").loc["level/both.png"]
    near = halves.neighbours(row["id"], 1).iloc[0]
    found = heat_in(halves, "level/both.png", "confusability")
    assert (found.explained.measure, found.explained.sides) == ("confusability", (near["path"],))
    assert found.base == pytest.approx(near["similarity"], abs=0.02)
    for name in ("uncertainty", "entropy"):
        found = heat_in(halves, "level/both.png", name)
        assert (found.explained.measure, found.explained.sides) == (name, ())
        assert found.base == pytest.approx(row[name], rel=0.02)
        assert found.values.shape == (GRID, GRID)
    with pytest.raises(ImageSetError, match="no picture with id 5"):
        halves.heat(5)


def test_the_crop_test_judges_whole_pictures_as_the_set_does(halves: ImageSet, model: Model) -> None:
    """Without their labels; twins, which have their representative's confusability there, aside."""
    table = halves.table()
    sample = [Subject(one, str(one), partial(halves.files.data, one)) for one in halves.core.ids.tolist()]
    test = list(crop_test(model, sample, reference=halves.core.reference()))[-1][1]
    has_none = table["twin_group"].isna().to_numpy()
    assert has_none.sum() > 30
    for name in ("ambiguity", "confusability"):
        whole, known = test.table[name].to_numpy(float)[has_none], table[name].to_numpy(float)[has_none]
        assert np.abs(whole - known).mean() < 0.02, name
        assert np.corrcoef(whole, known)[0, 1] > 0.98, "in bfloat16 single ranks move with the batch"
        assert test.wins(name)[1] == len(halves)


def test_where_two_models_take_part_it_is_by_the_first(
    tmp_path: Path, workspace: Path, model: Model, second_model: Model
) -> None:
    """Of the two classes that both have found; the first model by itself has a lead of its own between them."""
    image_set = embed_folder(striped_folder(tmp_path / "two", 40), model=model, also=second_model, workspace=workspace)
    row, alone = (each.table().set_index("path").loc["level/both.png"] for each in (image_set, image_set.single_model))
    assert image_set.core.second.active is not None
    assert row["first_share"] != alone["first_share"]
    lead = {alone["first_class"]: alone["first_share"], alone["second_class"]: alone["second_share"]}
    found = heat_in(image_set, "level/both.png", "ambiguity")
    assert found.explained.sides == (row["first_class"], row["second_class"])
    assert found.base == pytest.approx(lead[found.explained.sides[0]] - lead[found.explained.sides[1]], abs=0.02)


def test_what_cannot_be_explained_is_explained_by_what_leads() -> None:
    row = {"ambiguity": 0.5, "confusability": 0.2, "uncertainty": np.nan, "entropy": 1.0, "risk": 3.0}
    assert explained_measure(row, "risk", "confusability") == "confusability"
    assert explained_measure(row, "tuned", "ambiguity") == "confusability"
    assert explained_measure(row, "risk", None) == "entropy", "there is no head"
    assert explained_measure({**row, "ambiguity": np.nan}, "ambiguity", "confusability") == "confusability"


def test_copies_that_are_not_altered_have_the_shares_of_their_pictures() -> None:
    """A burst among them, each frame of which is judged without the others."""
    embeddings = with_burst(120, 6)
    label = np.append(classes(120, of=3)[1], np.full(5, 2)).astype(np.int32)
    graph, whitened = graph_of(embeddings)
    group = twin_groups(graph.twins)
    found = classify(graph.position, graph.similarity, whitened, label, group)
    assert found is not None
    for row in (0, 5, 119, 122):
        out = np.flatnonzero(group == group[row])
        lists = Nearest(graph.position[[row]], graph.similarity[[row]])
        [shares] = shares_of_new([lists], np.zeros(1, int), whitened[[row]], found.model.without(out, whitened[out]))
        assert np.sort(shares)[::-1][:2] == pytest.approx(
            [found.shares.first_share[row], found.shares.second_share[row]], abs=1e-4
        )
        assert found.model.classes[shares.argmax()] == found.shares.first_class[row]


def subjects(folder: Path) -> list[Subject]:
    return [Subject(i, path.name, partial(read_file, bytes(path))) for i, path in enumerate(files_in(folder), start=1)]


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))


def test_a_factor_belongs_to_a_picture_and_a_seed() -> None:
    drawn = np.array([crop_share(image_id) for image_id in range(-500, 1500)])
    assert crop_share(7) == crop_share(7)
    assert crop_share(7) != crop_share(8)
    assert crop_share(7, seed=1) != crop_share(7)
    assert drawn.min() > CROP_SHARES[0]
    assert drawn.max() < CROP_SHARES[1]
    assert drawn.mean() == pytest.approx(sum(CROP_SHARES) / 2, abs=0.01)
    assert len(np.unique(drawn)) == len(drawn)


def test_the_middle_is_cut_and_blown_up() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[2:6, 2:6] = 200
    assert (middle_of(picture, 0.5) == 200).all()
    assert middle_of(picture, 0.1).shape == picture.shape
    whole = np.asarray(noise(3, width=224, height=224))
    assert np.array_equal(middle_of(whole, 1.0), whole)


def test_a_tie_is_no_win_and_pictures_without_a_value_do_not_count() -> None:
    table = pd.DataFrame(
        {"uncertainty": [0.0, 1.0, 2.0, np.nan, 3.0], "uncertainty_of_crop": [1.0, 1.0, 3.0, 5.0, 0.0]}
    )
    assert CropTest(table, unreadable=0).wins("uncertainty") == (2, 4)


@pytest.mark.slow
def test_values_are_those_of_the_model_and_the_sample_does_not_matter(tmp_path: Path, model: Model) -> None:
    folder = write_folder(tmp_path / "pictures", 70)
    sample = subjects(folder)
    steps = list(crop_test(model, sample))
    assert [done for done, _ in steps] == [64, 70]
    whole = steps[-1][1].table
    assert whole["id"].tolist() == [subject.id for subject in sample]
    expected = model.predict(files_in(folder))
    assert whole["entropy"].to_numpy(float) == pytest.approx(expected.entropy, rel=0.02, abs=0.02)
    assert whole["uncertainty"].to_numpy(float) == pytest.approx(expected.uncertainty, rel=0.02, abs=0.02)
    assert (whole["uncertainty_of_crop"] != whole["uncertainty"]).all()
    few = list(crop_test(model, sample[40:44]))[-1][1].table
    assert few["crop_share"].tolist() == whole["crop_share"][40:44].tolist()


@pytest.mark.slow
def test_files_that_are_gone_or_broken_are_counted(tmp_path: Path, model: Model) -> None:
    sample, files = subjects(write_folder(tmp_path / "pictures", 3)), files_in(tmp_path / "pictures")
    files[0].unlink()
    files[1].write_bytes(b"<html>")
    found = list(crop_test(model, sample))[-1][1]
    assert (found.unreadable, found.table["path"].tolist()) == (2, ["0002.jpg"])
    for file in files:
        file.unlink(missing_ok=True)
    assert list(crop_test(model, sample))[-1][1].wins("uncertainty") == (0, 0)


@pytest.mark.slow
def test_without_a_head_there_is_entropy_alone(tmp_path: Path, bare_model: Model) -> None:
    found = list(crop_test(bare_model, subjects(write_folder(tmp_path / "pictures", 3))))[-1][1]
    assert found.wins("uncertainty") == (0, 0)
    assert found.wins("entropy")[1] == 3
