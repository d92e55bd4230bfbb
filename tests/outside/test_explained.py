"""What a heat map explains: unaltered copies stand where their pictures do, and each half speaks for its own class."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.imaging.pictures import noise
from tests.labels.test_ambiguity import classes, graph_of
from tests.pipeline.whitened_examples import with_burst
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import classify, shares_of_new
from url_viz.models.model import Model, load_model
from url_viz.outside.occlusion import Heat, Subject, crop_test, explained_measure
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.twins import twin_groups
from url_viz.reading import embed_folder


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


def heat_of(image_set: ImageSet, path: str, by: str | None = None) -> Heat:
    table = image_set.table().set_index("path")
    return image_set.heat(int(table["id"][path]), by=by)


def test_each_half_speaks_for_its_class(tmp_path: Path, prepared_as_shipped: Path, head_file: Path) -> None:
    """At the size that the model is shipped with: at 64 px a cover moves either half by about as much as its grain."""
    model = load_model(head_file, device="cpu", workspace=prepared_as_shipped)
    halves = embed_folder(striped_folder(tmp_path / "halves", 40), model=model, workspace=tmp_path / "workspace")
    row = halves.table().set_index("path").loc["level/both.png"]
    found = heat_of(halves, "level/both.png")
    assert (halves.order().measure, found.explained.measure) == ("ambiguity", "ambiguity")
    assert found.explained.sides == (row["first_class"], row["second_class"])
    assert found.base == pytest.approx(row["first_share"] - row["second_share"], abs=0.02)
    level = found.values if found.explained.sides[0] == "level" else -found.values
    assert level[:, :2].mean() > 0.2
    assert level[:, -2:].mean() < -0.2


def test_confusability_is_of_the_nearest_and_others_of_the_picture_by_itself(halves: ImageSet) -> None:
    row: Any = halves.table().set_index("path").loc["level/both.png"]
    near = halves.neighbours(row["id"], 1).iloc[0]
    found = heat_of(halves, "level/both.png", "confusability")
    assert (found.explained.measure, found.explained.sides) == ("confusability", (near["path"],))
    assert found.base == pytest.approx(near["similarity"], abs=0.02)
    for name in ("uncertainty", "entropy"):
        found = heat_of(halves, "level/both.png", name)
        assert (found.explained.measure, found.explained.sides) == (name, ())
        assert found.base == pytest.approx(row[name], rel=0.02)


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
    found = heat_of(image_set, "level/both.png", "ambiguity")
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
