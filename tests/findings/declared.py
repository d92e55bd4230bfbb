"""A check that a test declares, as if its file were among `MODULES`."""

import pytest

from url_viz.findings import findings
from url_viz.findings.checks import Check


def declare(monkeypatch: pytest.MonkeyPatch, check: Check) -> None:
    """Have sets that are opened from now on look for it."""
    every = tuple(sorted((*findings.every_check(), check), key=lambda each: each.place))
    monkeypatch.setattr(findings, "every_check", lambda: every)
