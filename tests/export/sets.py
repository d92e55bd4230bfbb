"""The image sets that the tests of exports stand on: one of odd names, a bad file and markup, and small plain ones."""

import os
import shutil
from pathlib import Path

from tests.imaging.pictures import noise, write_folder
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder

HOSTILE = "<img src=x onerror=alert(1)>"
ODD = (
    b"cat/\xff odd; name.jpg",
    b"cat/A.jpg",
    b"cat/a.jpg",
    b"test/metadata-train.jpg",
    HOSTILE.encode() + b"/=1+1 'quote\" &.jpg",
    HOSTILE.encode() + b"/line\nbreak.jpg",
    b"dog/</script><script>document.title='taken'</script>.jpg".replace(b"/script", b"\\script"),
    b"dog/" + b"long" * 50 + b".jpg",
    b"dog/http:__x::y.jpg",
)


def hostile_set(base: Path, model: Model, prepared: Path, *, count: int = 24) -> ImageSet:
    """`count` plain pictures in two classes, a copy, one of each odd name, and one file that is no picture."""
    root = write_folder(base / "pictures", count, classes=("cat", "dog"))
    shutil.copy(root / "cat" / "0000.jpg", root / "dog" / "copy.jpg")
    (root / "dog" / "bad.jpg").write_bytes(b"<html><script>alert(2)</script>")
    for number, path in enumerate(ODD):
        place = os.path.join(os.fsencode(root), path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        noise(100 + number).save(os.fsdecode(place), "JPEG")
    home = base / "workspace"
    home.mkdir()
    (home / "models").symlink_to(prepared / "models")
    return embed_folder(root, model=model, workspace=home)


def ids_of(image_set: ImageSet, *paths: str) -> list[int]:
    """Ids of the pictures at these paths."""
    return [int(one) for one in image_set.table().set_index("path").loc[list(paths), "id"]]
