"""Commands for decisions: decide, undo, redo, list, keep one of each copy, sort into folders."""

from typing import TYPE_CHECKING, Annotated, Literal

from typing_extensions import Doc
from tyro.conf import Positional, UseAppendAction

from url_viz.base.command_line import Count, OptionalPercentile
from url_viz.base.errors import DecisionError
from url_viz.base.wording import counted
from url_viz.cli.command_app import app, print_rest, table_text
from url_viz.jobs.configs import By, ListFile

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet

Word = Annotated[Literal["keep", "drop", "look-again", "none", "leave"], Doc("leave changes only tags and names")]
Pictures = Positional[Annotated[tuple[str, ...], Doc("pictures: paths as seen from here, or in the folder")]]
Tags = UseAppendAction[tuple[str, ...]]


@app.on_set()
def decide(
    image_set: "ImageSet",
    decision: Positional[Word],
    paths: Pictures = (),
    *,
    above: Annotated[OptionalPercentile, Doc("only pictures from this percentile on; alone: all of them")] = None,
    below: Annotated[OptionalPercentile, Doc("only pictures below this percentile; alone: all of them")] = None,
    by: By = None,
    listed: ListFile = None,
    tag: Annotated[Tags, Doc("give this tag; may be repeated")] = (),
    untag: Annotated[Tags, Doc("remove this tag; may be repeated")] = (),
    name: Annotated[str | None, Doc("call them so, in place of the name they have; '' takes it away")] = None,
) -> None:
    """Decide on pictures, tag and name them: one action, which `undo` takes back."""
    from url_viz.export.selection import chosen_ids, paths_listed

    if decision == "leave" and not tag and not untag and name is None:
        raise DecisionError("There is nothing to do: 'leave' decides nothing, so give --tag, --untag or --name.")
    named = [*paths, *paths_listed(listed)] if paths or listed is not None else None
    ids = chosen_ids(image_set, paths=named, above=above, below=below, by=by).tolist()
    kept = None if decision == "leave" else decision
    done = image_set.decisions.change(ids, decision=kept, tag=tag, untag=untag, name=name)
    print(f"{done.sentence}.")


@app.on_set()
def relabel(
    image_set: "ImageSet",
    label: Positional[Annotated[str | None, Doc("the class they are of; with --back the first picture")]] = None,
    paths: Pictures = (),
    *,
    listed: ListFile = None,
    back: Annotated[bool, Doc("take corrected labels back: the label as given counts again")] = False,
) -> None:
    """Correct or confirm the label of pictures; their files stay where they are, and `undo` takes it back."""
    from url_viz.export.selection import chosen_ids, paths_listed

    named = [*([label] if back and label is not None else []), *paths, *paths_listed(listed)]
    if not named or (label is None and not back):
        raise DecisionError("Say which class, then which pictures: by paths, or a list (--from).")
    ids = chosen_ids(image_set, paths=named).tolist()
    print(f"{image_set.labels.correct(dict.fromkeys(ids, None if back else label)).sentence}.")


@app.on_set()
def undo(image_set: "ImageSet") -> None:
    """Undo the latest decision, tag or label of any user."""
    if (action := image_set.decisions.undo()) is None:
        raise DecisionError(f"There is nothing to undo in {str(image_set.root)!r}.")
    print(f"{action.sentence}.")


@app.on_set()
def redo(image_set: "ImageSet") -> None:
    """Redo the action that was undone last."""
    if (action := image_set.decisions.redo()) is None:
        why = "only what was undone last can be done again"
        raise DecisionError(f"There is nothing to redo in {str(image_set.root)!r}: {why}.")
    print(f"{action.sentence}.")


@app.on_set()
def decisions(
    image_set: "ImageSet",
    *,
    top: Annotated[Count, Doc("how many pictures to list; all of them: export --decision")] = 20,
    log: Annotated[bool, Doc("list the latest actions instead: when, who, what")] = False,
) -> None:
    """Count and list the decisions, tags, names and corrected labels of a folder."""
    if log:
        print(_history(image_set, top))
        return
    table = image_set.table()
    counts = table["decision"].value_counts()
    print(", ".join(f"{counts.get(word, 0):,} {word}" for word in ("keep", "drop", "look-again")), end=", ")
    print(f"{table['decision'].isna().sum():,} undecided")
    for tag, count in image_set.decisions.tag_counts().items():
        print(f"tag {tag!r}: {count:,}")
    for name, count in table["name"].value_counts().sort_index().items():
        print(f"name {name!r}: {count:,}")
    checked = table["label_checked"].value_counts()
    if len(checked):
        print(", ".join(f"{counted(count, 'label')} {what}" for what, count in checked.items()))
    is_decided = table[["decision", "name", "label_checked"]].notna().any(axis=1) | (table["tags"] != "")
    decided = table[is_decided]
    if len(decided):
        names = ["name"] if decided["name"].notna().any() else []
        labels = ["label", "label_given"] if len(checked) else []
        print(table_text(decided[["decision", "tags", *names, *labels, "path"]].head(top).fillna("-")))
    print_rest(len(decided), top, "--top, or export --decision")


def _history(image_set: "ImageSet", count: int) -> str:
    history = image_set.decisions.history(count).drop(columns=["number", "count"])
    return table_text(history.replace("", "-")) if len(history) else "No decisions yet."
