"""Redraw the pictures of the documentation: `python -m tests.browser.screenshots FOLDER`, from sets made of digits."""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, expect
from scipy.special import softmax
from sklearn.datasets import load_digits

import url_viz
from tests.browser.fixtures import ROOT, launched, running_app, settled, still
from url_viz.reading import embed_folder

PATIENCE_MS = 300_000


def main(folder: Path) -> None:
    """Write explore-light.png, explore-dark.png, objects.png and your_model.png into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        running_app(ROOT / "app.py", (), {"URL_VIZ_HOME": os.path.join(home, "workspace")}) as url,
        launched() as browser,
    ):
        for scheme in ("light", "dark"):
            _explore(browser, url, scheme, folder / f"explore-{scheme}.png")
        _objects(browser, url, Path(home), folder / "objects.png")
        _your_model(browser, url, Path(home), folder / "your_model.png")


def _explore(browser: Browser, url: str, scheme: str, path: Path) -> None:
    context = browser.new_context(
        viewport={"width": 1500, "height": 940}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(url)
    page.get_by_role("button", name="Try the demo pictures").wait_for()
    settled(page)
    page.get_by_role("button", name="Try the demo pictures").click()
    expect(page.locator(".pane").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=PATIENCE_MS)
    page.reload()
    expect(page.locator(".pane .tile img").nth(8)).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path)
    context.close()


def _objects(browser: Browser, url: str, home: Path, path: Path) -> None:
    """A review of objects: handwritten digits in pictures, one of twenty under a wrong class."""
    objects = embed_folder(_digits_in_pictures(home / "digits"), workspace=home / "workspace")
    page = browser.new_page(viewport={"width": 1280, "height": 640})
    page.goto(f"{url}/?set={objects.set_id}&review=suspects")
    page.locator(".question").wait_for(timeout=PATIENCE_MS)
    for image in page.locator(".large img").all():
        image.evaluate("image => image.decode()")
    settled(page)
    page.get_by_test_id("stMain").screenshot(path=path)


def _your_model(browser: Browser, url: str, home: Path, path: Path) -> None:
    """Two softmax regressions on handwritten digits, each held out from half of them; one label of thirty is wrong."""
    digits, random, root = load_digits(), np.random.default_rng(0), home / "pictures" / "digits"
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    count = 600
    label = np.where(random.random(count) < 1 / 30, random.integers(0, 10, count), digits.target[:count])
    paths = np.array([f"{names[code]}/{number:03d}.png" for number, code in enumerate(label)])
    for name, picture in zip(paths, digits.images, strict=False):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        ink = Image.fromarray((255 - 255 * picture / 16).astype(np.uint8))
        ink.resize((128, 128), Image.Resampling.BICUBIC).save(root / name)
    record = url_viz.record(root, "softmax", classes=names.tolist(), workspace=home / "workspace")
    values = digits.data[:count] / 16
    for half in (0, 1):
        here, weights = np.arange(count) % 2 == half, np.zeros((64, 10))
        for epoch in range(12):
            record.epoch(paths[here], values[here] @ weights, label[here], number=epoch, fold=str(half))
            for _ in range(8):
                error = np.eye(10)[label[here]] - softmax(values[here] @ weights, axis=1)
                weights += 0.02 * values[here].T @ error
        record.epoch(paths[~here], values[~here] @ weights, label[~here], "val", number=11, fold=str(half))
    found = embed_folder(root, workspace=home / "workspace")
    page = browser.new_page(viewport={"width": 1280, "height": 1130})
    page.goto(f"{url}/model?tab=Your+model&set={found.set_id}")
    expect(page.get_by_text("First comes what is surely worst")).to_be_visible(timeout=PATIENCE_MS)
    settled(page)
    still(page)
    page.get_by_test_id("stMain").screenshot(path=path)


def _digits_in_pictures(folder: Path) -> Path:
    digits, random = load_digits(), np.random.default_rng(0)
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for number in range(60):
        picture, lines = Image.new("L", (640, 480), int(random.integers(205, 245))), []
        for cell in random.permutation(12)[:7]:
            which, side = int(random.integers(len(digits.images))), int(random.integers(70, 130))
            x, y = (
                160 * (cell % 4) + random.integers(0, 161 - side),
                160 * (cell // 4) + random.integers(0, 161 - side),
            )
            ink = Image.fromarray((255 * digits.images[which] / 16).astype(np.uint8))
            ink = ink.resize((side, side), Image.Resampling.BICUBIC)
            picture.paste(int(random.integers(20, 110)), (int(x), int(y)), ink)
            label = digits.target[which] if random.random() > 0.05 else random.integers(10)
            box = (x + side / 2) / 640, (y + side / 2) / 480, side / 640, side / 480
            lines.append(" ".join(map(str, (label, *box))))
        picture.save(folder / "images" / f"{number:02d}.png")
        (folder / "labels" / f"{number:02d}.txt").write_text("\n".join(lines))
    names = "[zero, one, two, three, four, five, six, seven, eight, nine]"
    (folder / "data.yaml").write_text(f"path: {folder}\ntrain: images\nnames: {names}\n")
    return folder / "data.yaml"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
