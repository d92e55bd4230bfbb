"""Makes a folder of emoji drawn by four vendors: `python -m benchmarks.emoji_set PACKAGES OUT`.

A class folder per sign, in it the sign by each vendor: a set whose style is stronger than its kind. PACKAGES is a
folder with four packages as npm packs them; these versions were measured:

    npm pack openmoji@17.0.0 emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0 \\
        @lobehub/fluent-emoji-modern@1.0.0

Drawings are scaled by Chromium, on white. They are their vendors' and are no part of this project.
"""

import argparse
import random
import re
import tarfile
from base64 import b64encode
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.served import CHROMIUM_ARGUMENTS, chromium

SIGNS, SIZE_PX, SEED = 320, 160, 7
VENDORS = {
    "openmoji": r"openmoji-[\d.]+\.tgz/package/color/svg/(1F[0-9A-F]{3})\.svg",
    "noto": r"emoji-datasource-google-[\d.]+\.tgz/package/img/google/64/(1f[0-9a-f]{3})\.png",
    "twitter": r"emoji-datasource-twitter-[\d.]+\.tgz/package/img/twitter/64/(1f[0-9a-f]{3})\.png",
    "fluent": r"lobehub-fluent-emoji-modern-[\d.]+\.tgz/package/assets/(1f[0-9a-f]{3})\.svg",
}
"""Where each vendor's drawings are, and which sign (a code point of one block, without joined ones) each is of."""
MEDIA = {"svg": "image/svg+xml", "png": "image/png"}


def main() -> None:
    """Draw the signs that all four have, or as many of them as SIGNS, drawn by SEED."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    drawings = {vendor: _drawings(given.packages, pattern) for vendor, pattern in VENDORS.items()}
    common = sorted(set.intersection(*(set(found) for found in drawings.values())))
    if not common:
        parser.error(
            f"{given.packages} lacks packages: of {', '.join(v for v, found in drawings.items() if not found)}"
        )
    signs = sorted(random.Random(SEED).sample(common, min(SIGNS, len(common))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": SIZE_PX, "height": SIZE_PX})
        for sign in signs:
            (given.out / sign).mkdir(parents=True, exist_ok=True)
            for vendor, found in drawings.items():
                _draw(page, *found[sign], given.out / sign / f"{vendor}-{sign}.png")
        browser.close()
    print(f"{len(signs):,} signs by {len(VENDORS)} vendors in {given.out}.")


def _drawings(packages: Path, pattern: str) -> dict[str, tuple[str, bytes]]:
    """A vendor's drawings by sign: media type and bytes."""
    found = {}
    for package in sorted(packages.glob("*.tgz")):
        if not re.match(pattern.partition("/")[0] + "$", package.name):
            continue
        with tarfile.open(package) as archive:
            for member in archive:
                match = re.fullmatch(pattern, f"{package.name}/{member.name}")
                file = archive.extractfile(member) if match else None
                if match and file is not None:
                    found[match[1].lower()] = MEDIA[member.name[-3:]], file.read()
    return found


def _draw(page: Page, media: str, data: bytes, out: Path) -> None:
    source = f"data:{media};base64,{b64encode(data).decode()}"
    page.set_content(f'<body style="margin:0"><img src="{source}" style="width:{SIZE_PX}px;height:{SIZE_PX}px"></body>')
    page.wait_for_function("document.images[0].complete")
    page.screenshot(path=out)


if __name__ == "__main__":
    main()
