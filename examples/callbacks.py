"""Recipes to copy: record the epochs of Lightning, Hugging Face's Trainer and Ultralytics' classification."""

from collections.abc import Mapping
from typing import Any

from url_viz.store.recorder import EpochBatches, Recorder

PICTURE = "picture"
"""The column of a Hugging Face data set that has the ids of its pictures."""


def lightning_callback(record: Recorder) -> Any:
    """A callback for Lightning's Trainer.

    `training_step` and `validation_step` return a dict: `logits` (B, C), `paths` of the B pictures and, if they are not
    the set's, `labels`. A step that returns something else is not recorded.
    """
    from lightning.pytorch import Callback

    class RecordLightning(Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.train, self.val = EpochBatches(record), EpochBatches(record, "val")

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
            _add(self.train, outputs)

        def on_validation_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
            if not trainer.sanity_checking:
                _add(self.val, outputs)

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            self.train.write(trainer.current_epoch)

        def on_validation_epoch_end(self, trainer: Any, module: Any) -> None:
            self.val.write(trainer.current_epoch)

    return RecordLightning()


def _add(batches: EpochBatches, outputs: Any) -> None:
    if isinstance(outputs, Mapping) and {"logits", "paths"} <= outputs.keys():
        batches.add(outputs["paths"], outputs["logits"], outputs.get("labels"))


class ForwardHooks:
    """Takes the column `picture` out of what a model is given, and adds what the model says of those pictures."""

    def __init__(self, record: Recorder) -> None:
        self.train, self.val = EpochBatches(record), EpochBatches(record, "val")
        self._pictures: Any = None

    def take(self, _: Any, given: Any, named: dict[str, Any]) -> Any:
        """Before a forward pass."""
        self._pictures = named.get(PICTURE)
        return given, {name: value for name, value in named.items() if name != PICTURE}

    def add(self, model: Any, _: Any, named: dict[str, Any], output: Any) -> None:
        """After a forward pass."""
        if self._pictures is not None:
            batches = self.train if model.training else self.val
            batches.add(self._pictures, output.logits, named.get("labels"))


def trainer_callback(record: Recorder) -> Any:
    """A callback for the Trainer of Hugging Face `transformers`, of a model whose output has `logits` (B, C).

    The data sets have a column `picture` with `record.ids(paths)`, which the model does not see;
    `TrainingArguments(remove_unused_columns=False)` lets it through. Evaluations while it trains are split "val".
    """
    from transformers import TrainerCallback

    class RecordTrainer(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, model: Any, **__: Any) -> None:
            self.said, self.number = ForwardHooks(record), 0
            first = model.register_forward_pre_hook(self.said.take, with_kwargs=True)
            self.hooks = first, model.register_forward_hook(self.said.add, with_kwargs=True)

        def on_epoch_begin(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
            self.number = round(state.epoch)

        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            self.said.train.write(self.number)

        def on_evaluate(self, *_: Any, **__: Any) -> None:
            self.said.val.write(self.number)

        def on_train_end(self, *_: Any, **__: Any) -> None:
            for hook in self.hooks:
                hook.remove()

    return RecordTrainer()


class WithPaths:
    """A classification data set of Ultralytics whose items say which file they are."""

    def __init__(self, dataset: Any) -> None:
        self.dataset, self.samples, self.torch_transforms = dataset, dataset.samples, dataset.torch_transforms

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {**self.dataset[index], "im_file": self.samples[index][0]}


def ultralytics_trainer(record: Recorder) -> Any:
    """A trainer for Ultralytics' classification: `YOLO(…).train(data=…, trainer=ultralytics_trainer(record))`.

    In one process: with several GPUs, Ultralytics starts others that do not know of it.
    """
    from ultralytics.models.yolo.classify import ClassificationTrainer, ClassificationValidator

    train, val = EpochBatches(record), EpochBatches(record, "val")

    class RecordingValidator(ClassificationValidator):  # type: ignore[misc]
        def postprocess(self, preds: Any) -> Any:
            self.logits = preds[1] if isinstance(preds, list | tuple) else preds
            return super().postprocess(preds)

        def update_metrics(self, preds: Any, batch: Any) -> None:
            if self.training:  # and not the best model's figures in the end
                val.add(batch["im_file"], self.logits, batch["cls"])
            super().update_metrics(preds, batch)

    class RecordingTrainer(ClassificationTrainer):  # type: ignore[misc]
        def build_dataset(self, *args: Any, **kwargs: Any) -> Any:
            return WithPaths(super().build_dataset(*args, **kwargs))

        def get_validator(self) -> Any:
            usual = super().get_validator()
            usual.__class__ = RecordingValidator
            return usual

        def _setup_train(self) -> None:
            super()._setup_train()  # makes the moving average, whose copy is saved without what follows
            criterion = self.model.init_criterion()

            def loss(preds: Any, batch: Any) -> Any:
                train.add(batch["im_file"], preds, batch["cls"])
                return criterion(preds, batch)

            self.model.criterion = loss
            self.add_callback("on_train_epoch_end", lambda trainer: train.write(trainer.epoch))
            self.add_callback("on_fit_epoch_end", lambda trainer: val.write(trainer.epoch))

    return RecordingTrainer
