"""A model whose embeddings are not finite, or leave float16, is refused by name, and leaves nothing unfinished."""

from pathlib import Path

import pytest
import timm
import torch

from tests.imaging.pictures import write_folder
from url_viz.base.errors import ModelError
from url_viz.evidence.order_metrics import recall_at_1
from url_viz.models.model import Model, load_model
from url_viz.reading import embed_folder
from url_viz.store.sets import list_sets

TINY = "test_vit"


def scaled(tmp_path: Path, workspace: Path, by: float) -> Model:
    """timm's smallest network, every number of its embeddings `by` times as large."""
    torch.manual_seed(0)
    state = timm.create_model(TINY, num_classes=7).state_dict()
    last = "fc_norm" if "fc_norm.weight" in state else "norm"
    for name in ("weight", "bias"):
        state[f"{last}.{name}"] *= by
    state[f"{last}.bias"] += by
    torch.save(state, tmp_path / "large.pth")
    return load_model(f"{TINY}:{tmp_path / 'large.pth'}", device="cpu", precision="exact", workspace=workspace)


@pytest.mark.slow
@pytest.mark.parametrize(("by", "words"), [(1e6, "leave float16: their numbers go to"), (float("nan"), "not finite")])
def test_is_refused_at_the_first_batch_and_nothing_is_left(
    tmp_path: Path, workspace: Path, by: float, words: str
) -> None:
    folder = write_folder(tmp_path / "pictures", 3)
    large = scaled(tmp_path, workspace, by)
    with pytest.raises(ModelError, match=words) as told:
        embed_folder(folder, model=large, workspace=workspace)
    assert repr(large.name) in str(told.value)
    assert list_sets(workspace).empty
    assert not list((workspace / "sets").glob("*"))


@pytest.mark.slow
def test_a_set_that_was_read_keeps_all_it_has(tmp_path: Path, workspace: Path, bare_model: Model) -> None:
    folder = write_folder(tmp_path / "pictures", 3)
    image_set = embed_folder(folder, model=bare_model, workspace=workspace)
    before, about = image_set.table(), image_set.core.store.about()
    with pytest.raises(ModelError, match="leave float16"):
        embed_folder(folder, model=scaled(tmp_path, workspace, 1e6), workspace=workspace)
    assert image_set.core.store.about() == about
    assert embed_folder(folder, model=bare_model, workspace=workspace).table().equals(before)


@pytest.mark.slow
def test_predict_keeps_all_rows_and_says_which_count(tmp_path: Path, workspace: Path, bare_model: Model) -> None:
    folder = write_folder(tmp_path / "pictures", 4)
    (folder / "0001.jpg").write_bytes(b"no picture")
    paths = [folder / f"000{number}.jpg" for number in range(4)]
    prediction = bare_model.predict(paths)
    assert prediction.ok.tolist() == [True, False, True, True]
    with pytest.raises(ValueError, match=r"1 of 4 embeddings are not finite \(row 1\)\. Leave them out, e\.g\. with"):
        recall_at_1(prediction.embedding, [0, 0, 0, 0])
    assert recall_at_1(prediction.embedding[prediction.ok], [0, 0, 0])[0] == 1
    spoilt = scaled(tmp_path, workspace, float("nan")).predict(paths)
    assert not spoilt.ok.any()
    assert [path for path, _ in spoilt.failures] == paths
    assert "no finite embedding" in spoilt.failures[0][1]
    assert scaled(tmp_path, workspace, 1e6).predict(paths).ok.tolist() == [True, False, True, True]
