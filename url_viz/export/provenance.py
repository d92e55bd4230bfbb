"""Provenance of exported values: model, weights, head, versions and date."""

import datetime
import importlib
from dataclasses import dataclass

from url_viz.image_set import ImageSet
from url_viz.store.about import read_about


@dataclass(frozen=True)
class Provenance:
    """What is needed to reproduce exported values.

    `folder` is the folder's name alone, or its whole path if asked for; `head_digest` is "" if the model has no head,
    `second_model` if none was asked. `made` is in UTC, to the minute.
    """

    name: str
    folder: str
    pictures: int
    model: str
    backbone: str
    weights_digest: str
    second_model: str
    head_digest: str
    precision: str
    input_px: int
    version: str
    made: str

    def rows(self) -> tuple[tuple[str, str], ...]:
        """Name and value of each fact, for display."""
        return (
            ("Folder", self.folder),
            ("Pictures in the image set", f"{self.pictures:,}"),
            ("Model", self.model),
            ("Backbone", f"{self.backbone}, weights {self.weights_digest}"),
            ("Second model", self.second_model or "none asked"),
            ("Uncertainty head", self.head_digest or "none for this model"),
            ("Precision, input", f"{self.precision}, {self.input_px} × {self.input_px} px"),
            ("Made with", f"URL-Viz {self.version}"),
            ("Made on", f"{self.made} UTC"),
        )


def provenance(image_set: ImageSet, *, with_folder: bool = False, now: datetime.datetime | None = None) -> Provenance:
    """The provenance of an image set's values; `with_folder` includes the whole path of its folder."""
    moment = (now or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC)
    space, head, second = image_set.space, image_set.head, image_set.second.active
    return Provenance(
        name=name_of(image_set),
        folder=str(image_set.root) if with_folder else image_set.root.name,
        pictures=len(image_set),
        model=image_set.source.title,
        backbone=space.backbone,
        weights_digest=space.weights_digest,
        second_model="" if second is None else f"{second.space.backbone}, weights {second.space.weights_digest}",
        head_digest="" if head is None else head.digest,
        precision=space.precision,
        input_px=space.preprocessing.size_px,
        version=importlib.import_module("url_viz").__version__,
        made=f"{moment:%Y-%m-%d %H:%M}",
    )


def name_of(image_set: ImageSet) -> str:
    """The name that the user gave an image set, else its folder's name, never its path."""
    return read_about(image_set.workspace.set_paths(image_set.set_id)).name or image_set.root.name
