"""Record a review as an animated picture, and write an example report: `python -m tests.browser.recorded_review`.

Both are of the demo's handwritten digits with one label of fifteen wrong, at docs/screenshots/review.webp and
docs/site/example-report.html.
"""

import io
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page

from tests.browser.fixtures import ROOT, launched, running_app, settled
from url_viz.base.workspace import Workspace
from url_viz.demo import build_demo
from url_viz.export.report import write_report
from url_viz.image_set import ImageSet
from url_viz.reading import embed_folder

PATIENCE_MS = 300_000
ASKED = 8
"""So many questions are shown, and all are answered."""
WIDTH, HEIGHT = 1120, 700
FRAME_MS, LONG_MS = 1_150, 3_000
CAPTION = """(words) => {
    let box = document.getElementById('recorded');
    if (!box) {
        box = document.body.appendChild(Object.assign(document.createElement('div'), { id: 'recorded' }));
        box.style = 'position:fixed;left:50%;bottom:18px;transform:translateX(-50%);z-index:99999;padding:8px 18px;' +
            'border-radius:10px;background:#1d2230;color:#fff;font:600 19px system-ui;box-shadow:0 3px 14px #0005';
    }
    box.textContent = words;
}"""


def main() -> None:
    """Write both files."""
    with tempfile.TemporaryDirectory() as base:
        image_set, truth = _digits_with_wrong_labels(Path(base))
        environment = {"URL_VIZ_HOME": str(image_set.workspace.root), "URL_VIZ_ROOTS": base}
        write_report(image_set, ROOT / "docs" / "site" / "example-report.html", title="Digits, one label of 15 wrong")
        with running_app(ROOT / "app.py", (), environment) as url, launched() as browser:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            frames = _recorded(page, f"{url}/?set={image_set.set_id}&review=suspects", image_set, truth)
    first, *others = [picture for picture, _ in frames]
    times = [duration for _, duration in frames]
    recording = ROOT / "docs" / "screenshots" / "review.webp"
    first.save(recording, save_all=True, append_images=others, duration=times, loop=0, quality=62, method=6)
    print(f"{len(frames)} frames, {sum(times) / 1000:.0f} s, {recording.stat().st_size / 1e6:.2f} MB")


def _digits_with_wrong_labels(base: Path) -> tuple[ImageSet, dict[str, str]]:
    """The demo's digits, read, with one of fifteen in the folder of another class; and the true class by file name."""
    demo, random = build_demo(Workspace.at(base / "workspace")), np.random.default_rng(0)
    root = base / "handwritten" / "digits"
    truth = {}
    names = sorted(folder.name for folder in demo.iterdir() if folder.is_dir())
    for path in sorted(demo.rglob("*.*")):
        if path.parent == demo:
            continue
        own = path.parent.name
        label = str(random.choice([name for name in names if name != own])) if random.random() < 1 / 15 else own
        truth[path.name] = own
        (root / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / label / path.name)
    return embed_folder(root, workspace=base / "workspace"), truth


def _recorded(page: Page, url: str, image_set: ImageSet, truth: dict[str, str]) -> list[tuple[Image.Image, int]]:
    frames: list[tuple[Image.Image, int]] = []

    def frame(words: str, duration: int = FRAME_MS) -> None:
        page.evaluate(CAPTION, words)
        with Image.open(io.BytesIO(page.screenshot())) as shot:
            frames.append((shot.convert("RGB"), duration))

    page.goto(url)
    page.locator(".question").wait_for(timeout=PATIENCE_MS)
    page.add_style_tag(content="[data-testid=stSidebar] { display: none }")
    settled(page)
    review, table = image_set.reviews.open("suspects"), image_set.table().set_index("id")
    for number, image_id in enumerate(review.ids):
        row = table.loc[image_id]
        own = truth[os.path.basename(str(row["path"]))]
        key = "1" if row["label"] == own else "2" if row["first_class"] == own else "k"
        if number < ASKED:
            page.locator(".large img").first.evaluate("image => image.decode()")
            frame(f"Doubtful label {number + 1}: labelled {row['label']}", FRAME_MS // 2)
            frame(f"key {key}: " + (f"it is a {own}" if key != "k" else "keep"), FRAME_MS // 2)
        page.keyboard.press(key)
        page.wait_for_timeout(350)
    settled(page)
    frame(f"{len(review)} labels looked at, files untouched", LONG_MS // 2)
    page.get_by_role("button", name="All reviews").click()
    measure = page.get_by_role("button", name="Measure")
    measure.click(timeout=PATIENCE_MS)
    page.get_by_test_id("stDataFrame").first.wait_for(timeout=PATIENCE_MS)
    settled(page)
    page.get_by_test_id("stDataFrame").first.scroll_into_view_if_needed()
    page.wait_for_timeout(800)
    frame("What it was worth: a classifier, before and after", LONG_MS)
    return frames


if __name__ == "__main__":
    main()
