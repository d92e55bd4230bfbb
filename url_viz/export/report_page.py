"""A report as one HTML page: a template of `page/` and what it is filled with, all text escaped."""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from url_viz.analysis.labels.ambiguity import between, question_of
from url_viz.analysis.measures import AMBIGUITY, in_text, is_measure, measure_named
from url_viz.errors import FolderError
from url_viz.export.report_map import BINS, HEIGHT, WIDTH
from url_viz.imaging.outputs import require_outside

LONGEST_NAME = 64
_PAGE = Path(__file__).parent / "page"


def filled(template: str, *, script: str = "", **values: object) -> str:
    """A template filled with values: a page whose policy allows this script alone, named by digest, and no loading."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    style = (_PAGE / "report.css").read_text(encoding="utf-8")
    return _environment().get_template(template).render(values, script=script, policy=policy, style=style)


def page_script(name: str) -> str:
    """A script of `page/`."""
    return (_PAGE / name).read_text(encoding="utf-8")


def for_html(record: object) -> str:
    """A record as JSON that can stand within an element of HTML."""
    plain = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def page_file(path: str | Path, *roots: Path) -> Path:
    """The file that a report on `roots` is written to; raises as `require_outside`, FolderError for another ending."""
    target = require_outside(path, *roots)
    if target.suffix.lower() not in (".html", ".htm"):
        raise FolderError(f"{target.name!r} does not end in .html. Give the report a name that does.")
    return target


@cache
def _environment() -> Environment:
    """What templates know; every value is escaped unless it is marked safe."""
    loader = FileSystemLoader(_PAGE)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {
        "short": shortened,
        "count": lambda value: f"{value:,}",
        "percent": lambda value, digits: f"{100 * value:.{digits}f}",
        "whole": lambda value: "–" if np.isnan(value) else f"{value:.0f}",
        "bin": lambda rank: "x" if np.isnan(rank) else min(BINS - 1, int(rank * BINS / 100)),
        "on_scale": lambda value: min(1.0, max(0.0, value)),
        "sentence": lambda words: words[:1].upper() + words[1:],
    }
    environment.tests["missing"] = lambda value: not np.isfinite(value)
    words = {"titled": titled, "caption": _caption, "between": _between, "question": question_of}
    environment.globals |= {**words, "width": WIDTH, "height": HEIGHT, "bins": BINS}
    return environment


def titled(measure: str) -> str:
    """A measure within a sentence, a baseline as one; a user's column by its own name."""
    if not is_measure(measure):
        return measure
    return f"{in_text(measure)}{' (baseline)' if measure_named(measure).is_baseline else ''}"


def shortened(name: object) -> str:
    """A name without its middle, if it is long."""
    words = str(name)
    return words if len(words) <= LONGEST_NAME else f"{words[: LONGEST_NAME // 2]}…{words[-LONGEST_NAME // 2 + 1 :]}"


def _between(row: Mapping[str, Any], measure: str) -> str:
    """The two classes that a picture lies between, where the report is ordered by that."""
    words = between(row["first_class"], row["second_class"]) if measure == AMBIGUITY.name else None
    return f" {words}" if words else ""


def _caption(row: Mapping[str, Any]) -> str:
    """The class of a picture, else its file's name."""
    label = row["label"]
    return label if isinstance(label, str) else str(row["path"]).rsplit("/", 1)[-1]
