"""The command `check`: the gate, which reads a folder and judges what is found by a policy."""

import traceback
from pathlib import Path
from typing import Annotated

from typing_extensions import Doc

from url_viz.base.command_line import Output
from url_viz.base.errors import ImageSetError, UrlVizError, UsageError
from url_viz.base.wording import counted, printable
from url_viz.capability import capability
from url_viz.cli.embed_command import OneModel, ReadingOptions, read_pictures
from url_viz.export import result_files
from url_viz.export.table_files import write_bytes
from url_viz.findings.gate import GateResult, Policy, RuleResult, read_policy
from url_viz.image_set import open_image_set
from url_viz.imaging.outputs import require_outside
from url_viz.models.model_names import DEFAULT
from url_viz.parameters import DeviceName, Folder, ModelName, WorkspaceDir

NOT_CHECKED = 2
SHOWN = 10
"""How many pictures of a broken rule are printed."""

Out = Annotated[Path | None, Doc("also write the result to this file"), Output()]


@capability("check")
def check(
    folder: Folder,
    *,
    policy: Annotated[Path, Doc("a TOML file of rules: leaks = 0, unreadable = '1%' …")],
    baseline: Annotated[
        Path | None, Doc("a set that was read before, or the --json of an earlier check: only what is new counts")
    ] = None,
    json: Out = None,
    junit: Out = None,
    markdown: Out = None,
    model: ModelName = DEFAULT,
    one_model: OneModel = False,
    device: DeviceName = "auto",
    workspace: WorkspaceDir = None,
) -> int:
    """Read what is new, and judge the findings by a policy.

    The exit status is 0 if it is met, 1 if it is broken, 2 if that could not be checked.
    """
    try:
        rules = read_policy(policy)
        accepted = None if baseline is None else _known(baseline, rules, model, workspace)  # may be the same set
        if baseline is not None and result_files.read_baseline(baseline) is None:
            for out in filter(None, (json, junit, markdown)):
                require_outside(out, baseline)
        read = ReadingOptions(model=model, one_model=one_model, workspace=workspace, device=device)
        result = read_pictures(folder, read)[0].check(rules, baseline=accepted)
        for file, text_of in (
            (json, result_files.as_baseline),
            (junit, result_files.junit),
            (markdown, result_files.markdown),
        ):
            if file is not None:
                write_bytes(text_of(result), file)
    except UrlVizError as error:
        raise UsageError(str(error)) from error
    except Exception:  # noqa: BLE001  # Python's own status is 1, which says that the policy is broken
        traceback.print_exc()
        return NOT_CHECKED
    _print(result)
    return result.status


def _known(baseline: Path, rules: Policy, model: str, workspace: Path | None) -> GateResult:

    try:
        return result_files.read_baseline(baseline) or open_image_set(baseline, model=model, workspace=workspace).check(
            rules
        )
    except ImageSetError as error:
        raise UsageError(f"The baseline is no --json of an earlier check, and {error}") from error


def _print(result: GateResult) -> None:
    for rule in result.shown:
        print(f"{'ok' if rule.state == 'passed' else rule.state.upper():10} {printable(rule.words)}")
        if rule.state == "broken":
            _print_pictures(rule)
    if result.classes_passed:
        print(f"{'ok':10} ambiguous: {counted(result.classes_passed, 'class')}")
    words = {
        "passed": "The policy holds",
        "broken": "The policy is not met",
        "not judged": "A rule could not be judged",
    }
    print(f"{words[result.state]}: {counted(result.pictures, result.noun)} in {printable(result.folder)}.")


def _print_pictures(rule: RuleResult) -> None:
    for path, detail in rule.counted[:SHOWN]:
        print(f"    {printable(path)}: {printable(detail)}")
    if rule.count > SHOWN:
        print(f"… and {rule.count - SHOWN:,} more (--json)")
