"""A head from labelled pictures in one command: cache, train several seeds, choose, measure, and write its card.

    python -m training.pretrain --data SPEC [--data SPEC …] --model NAME --out DIR [--develop SPEC …] [--report SPEC …]

Each step leaves its files in OUT, and a run that was stopped goes on with the first that is missing:
OUT/caches/, OUT/seed-0/ …, OUT/head.safetensors, OUT/overlap.json, OUT/development.json, OUT/report.json, OUT/head.md.
"""

import sys

from training.command import command
from training.config import PretrainConfig
from training.head_pretraining import PretrainPaths, pretrain_head
from training.model_card import card_text
from training.store import locked
from url_viz.base.files import replaced
from url_viz.base.progress import ProgressCallback, command_report
from url_viz.models.head import Head


def main(config: PretrainConfig) -> None:
    """Make the head of `config`, and print where it is."""
    with locked(config.out):
        head = pretrain(config, report=command_report())
    paths = PretrainPaths(config.out)
    print(f"{paths.head}: head {head.digest}; its card is {paths.card}. Open it with --model {paths.head}.")


def pretrain(config: PretrainConfig, *, report: ProgressCallback) -> Head:
    """Do what is missing of a run → its head; raises FolderError if OUT holds a run with other options."""
    paths = PretrainPaths(config.out)
    head = pretrain_head(config, report=report)
    text = card_text(paths.folder, _measured(config, paths, report))
    with replaced(paths.card) as temporary:
        temporary.write_text(text, "utf-8")
    return head


def _measured(config: PretrainConfig, paths: PretrainPaths, report: ProgressCallback) -> list[str]:
    """The parts of the card with figures on labelled sets, these options' or an earlier run's; none without any."""
    if not (config.develop or config.report or any(paths.figures(use).is_file() for use in ("development", "report"))):
        return []
    from training.benchmark.measured_head import card_parts, measure

    measure(config, report)
    return card_parts(paths.folder)


if __name__ == "__main__":
    sys.exit(command(PretrainConfig, main))
