"""Commands that say what to look at first: findings, leaks, and the gate, which judges findings by a policy."""

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typing_extensions import Doc
from tyro.conf import Positional

from url_viz.base.command_line import Count, Output
from url_viz.base.errors import ImageSetError, UrlVizError, UsageError
from url_viz.base.wording import counted, printable
from url_viz.cli.command_app import app, print_rest, table_text, write_rows
from url_viz.cli.embed_command import ReadingOptions, read_pictures
from url_viz.jobs.configs import DEFAULT, DeviceName, Folder, ModelName, TableOut, WorkspaceDir

if TYPE_CHECKING:
    from url_viz.findings.gate import GateResult, Policy, RuleResult
    from url_viz.image_set import ImageSet


@app.on_set()
def leakage(
    image_set: "ImageSet",
    *,
    against: Annotated[Path | None, Doc("another folder that was read with the same model")] = None,
    test: Annotated[str | None, Doc("say which are test: a pattern of their paths or names, test_*")] = None,
    by: Annotated[str | None, Doc("say which are test: a column that names each picture's split")] = None,
    top: Annotated[Count, Doc("how many to print")] = 20,
    out: TableOut = None,
) -> None:
    """List the pictures of a split with a copy or another view in another (train/ and test/), or in another folder."""
    from url_viz.findings.leaks import APART, SAME_FILE
    from url_viz.image_set import open_image_set

    other = None
    if against is not None:
        other = open_image_set(against, model=image_set.source.name, workspace=image_set.workspace.root)
    if test is not None or by is not None:
        print(image_set.splits.tell(test=test, column=by))
    is_of_pictures = image_set.is_of_objects and other is None
    rows = image_set.splits.leaked_pictures() if is_of_pictures else image_set.splits.leaks(other)
    if rows is None:
        raise ImageSetError(image_set.splits.missing)
    if write_rows(rows, out, "leak"):
        return
    if is_of_pictures:
        words = counted(rows["picture"].nunique(), "picture is", "pictures are")
        print(f"{words} in two splits, or {'shows' if len(rows) == 1 else 'show'} objects of pictures in another.")
        if len(rows):
            print(table_text(rows.head(top)[["kind", "rows", "split", "picture", "twin_split", "twin_picture"]]))
        print_rest(len(rows), top, "--top, --out")
        return
    where = "another split" if other is None else str(other.root)
    also = ", or a picture that is kept apart with them," if (rows["kind"] == APART).any() else ""
    also += ", or are themselves," if (rows["kind"] == SAME_FILE).any() else ""
    print(f"{len(rows):,} of {counted(len(image_set), image_set.noun)} have a copy or another view{also} in {where}.")
    if len(rows):
        print(table_text(rows.head(top)[["cosine", "kind", "split", "path", "twin_split", "twin_path"]]))
    print_rest(len(rows), top, "--top, --out")


NOT_CHECKED = 2
SHOWN = 10
"""How many pictures of a broken rule are printed."""

Out = Annotated[Path | None, Doc("also write the result to this file"), Output()]


@app.command()
def check(
    folder: Positional[Folder],
    *,
    policy: Annotated[Path, Doc("a TOML file of rules: leaks = 0, unreadable = '1%' …")],
    baseline: Annotated[
        Path | None, Doc("a set that was read before, or the --json of an earlier check: only what is new counts")
    ] = None,
    json: Out = None,
    junit: Out = None,
    markdown: Out = None,
    model: ModelName = DEFAULT,
    one_model: Annotated[bool, Doc("no second model reads a new set unasked")] = False,
    device: DeviceName = "auto",
    workspace: WorkspaceDir = None,
) -> int:
    """Read what is new and judge the findings by a policy: status 0 passed, 1 broken, 2 could not be checked."""
    from url_viz.export import result_files
    from url_viz.export.table_files import write_bytes
    from url_viz.findings.gate import read_policy
    from url_viz.imaging.outputs import require_outside

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


def _known(baseline: Path, rules: "Policy", model: str, workspace: Path | None) -> "GateResult":
    from url_viz.export.result_files import read_baseline
    from url_viz.image_set import open_image_set

    try:
        return read_baseline(baseline) or open_image_set(baseline, model=model, workspace=workspace).check(rules)
    except ImageSetError as error:
        raise UsageError(f"The baseline is no --json of an earlier check, and {error}") from error


def _print(result: "GateResult") -> None:
    for rule in result.shown:
        print(f"{'ok' if rule.state == 'passed' else rule.state.upper():10} {printable(rule.words)}")
        if rule.state == "broken":
            _print_pictures(rule)
    if result.classes_passed:
        print(f"{'ok':10} ambiguous: {counted(result.classes_passed, 'class')}")
    words = {"passed": "The policy holds", "broken": "The policy is broken", "not judged": "A rule could not be judged"}
    print(f"{words[result.state]}: {counted(result.pictures, 'picture')} in {printable(result.folder)}.")


def _print_pictures(rule: "RuleResult") -> None:
    for path, detail in rule.counted[:SHOWN]:
        print(f"    {printable(path)}: {printable(detail)}")
    print_rest(rule.count, SHOWN, "--json")
