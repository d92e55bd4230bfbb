"""The command that finetunes a head on a folder; with --mode full, the backbone, too.

    python -m training.finetune --data FOLDER --model NAME --out DIR [--mode instance|labels|full] …

Leaves OUT/head.safetensors, which load_model reads, and OUT/report.json: how well the head agrees with the order of the
task losses and, with classes, R-AUROC, each with an interval and next to the figures of the head before and of the
orders that need no job. OUT/cache keeps the embeddings, so that a second run starts at once.
"""

import sys

from training.command import command
from training.config import FinetuneConfig
from training.head_finetuning import finetune_head
from training.holdout import FinetuneReport
from training.store import RunPaths, locked
from url_viz.base.progress import command_report
from url_viz.evidence.holdout_report import as_text
from url_viz.models.model import load_model, load_source, resolve


def main(config: FinetuneConfig) -> None:
    """Finetune as `config` says, and print the advice and the figures."""
    with locked(config.out):
        if config.mode == "full":
            report = _finetune_everything(config)
        else:
            model = load_model(config.model, device=config.device, precision=config.precision)
            report = finetune_head(config, model, command_report())
    print(f"{RunPaths(config.out).head}: {report.advice}\n{as_text(report.told)}")


def _finetune_everything(config: FinetuneConfig) -> FinetuneReport:
    from training.full.full_finetuning import finetune_everything

    source = resolve(config.model)
    return finetune_everything(config, load_source(source), source.head, command_report())


if __name__ == "__main__":
    sys.exit(command(FinetuneConfig, main))
