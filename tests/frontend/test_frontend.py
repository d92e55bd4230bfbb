"""The browser's modules under node, where it is found: `node --test` on each `*.test.js`, and loading components."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from tests.frontend.node import needs_node, run_node
from url_viz.drawing.assets import FOLDER, script_of
from url_viz.drawing.points import Points, encode_mask, encode_points

pytestmark = needs_node

TESTS = sorted(Path(__file__).parent.glob("*.test.js"))
COMPONENTS = sorted(path.parent.name for path in FOLDER.glob("*/index.js"))


def written(n: int) -> dict[str, object]:
    """N points and a mask of them, as bytes of Python and as plain numbers."""
    random = np.random.default_rng(n)
    value = np.where(random.random(n) < 0.2, np.nan, random.uniform(0, 100, n)).astype(np.float32)
    points = Points(
        ids=random.integers(-(2**63), 2**63 - 1, size=n, dtype=np.int64),
        x=random.normal(3, 5, n).astype(np.float32),
        y=random.normal(-70, 0.1, n).astype(np.float32),
        value=value,
        category=random.integers(-1, 400, n).astype(np.int32),
        size=value[::-1],
    )
    is_kept = random.random(n) < 0.4
    return {
        "ids": [str(one) for one in points.ids],
        "x": points.x.tolist(),
        "y": points.y.tolist(),
        "value": [None if np.isnan(one) else one for one in points.value.tolist()],
        "category": points.category.tolist(),
        "kept": is_kept.astype(int).tolist(),
        "points": base64.b64encode(encode_points(points)).decode(),
        "mask": base64.b64encode(encode_mask(points.ids, points.ids[is_kept])).decode(),
    }


@pytest.fixture(scope="module", autouse=True)
def _written(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What decode.test.js reads."""
    path = tmp_path_factory.mktemp("written") / "written.json"
    path.write_text(json.dumps({"sets": [written(n) for n in (0, 1, 2, 7, 8, 9, 1000)]}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("URL_VIZ_WRITTEN", str(path))
        yield


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_node_passes(path: Path) -> None:
    told = run_node("--test", "--test-reporter=tap", str(path))
    assert "\n# fail 0\n" in told
    assert "\n# skipped 0\n" in told
    assert "\n# tests 0\n" not in told


def test_by_hand_the_decoder_is_skipped_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("URL_VIZ_WRITTEN")
    told = run_node("--test", "--test-reporter=tap", str(Path(__file__).parent / "decode.test.js"))
    assert "# SKIP Python has written nothing to read: run `pytest tests/frontend`" in told


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_loads_from_its_files_and_as_one_text(name: str, tmp_path: Path) -> None:
    """Nothing of a module needs a page before it is called; node refuses syntax and imports that do not fit."""
    one = tmp_path / f"{name}.mjs"
    one.write_text(script_of(name), encoding="utf-8")
    for path in (FOLDER / name / "index.js", one):
        asked = f"const loaded = await import({json.dumps(path.as_uri())}); console.log(typeof loaded.default);"
        assert run_node("--input-type=module", "--eval", asked).strip() == "function"
