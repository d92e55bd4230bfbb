"""Text that we did not write reaches a page as text only, errors as a sentence, and times by the visitor's clock."""

import datetime
import errno
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from tests.given import given_set
from tests.imaging.pictures import noise
from tests.ui.markdown_texts import drawn_without_alt, foreign_texts
from url_viz.image_set import ImageSet
from url_viz.ui import text as local_time
from url_viz.ui.text import date_and_time, escape, time_in_words, with_code

ROOT = Path(__file__).parents[2]
UI = ROOT / "url_viz" / "ui"
FILES = sorted({*UI.rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "app.py"} - {UI / "text.py"})


def test_signs_of_markdown_are_escaped() -> None:
    assert escape("a_b*c`d") == r"a\_b\*c\`d"
    assert escape("![x](y)") == r"\!\[x\](y)"
    assert escape("# heading") == r"\# heading"
    assert escape("- item") == r"\- item"
    assert escape("1. item") == r"1\. item"
    assert escape("plain name.jpg") == "plain name.jpg"
    assert escape("two\n\nlines\tand tabs") == "two lines and tabs"


def test_what_becomes_a_link_by_itself_is_parted() -> None:
    """GitHub's Markdown makes links of plain text after all escapes are read, so that escapes alone do not help."""
    joiner = "\u2060"
    assert escape("https://beacon.example") == f"https:{joiner}//beacon.example"
    assert escape("WWW.beacon.example") == f"WWW{joiner}.beacon.example"
    assert escape("a@b.example") == f"a@{joiner}b.example"
    assert escape(":material/home:") == f":{joiner}material/home:"
    assert escape("https:&#47;&#47;x") == rf"https:{joiner}\&\#47;\&\#47;x"
    assert escape("at 14:42: no disk") == "at 14:42: no disk"
    for emoji in ("100", "1234", "8ball", "1st_place_medal", "2nd_place_medal", "3rd_place_medal"):
        assert f":{joiner}{emoji[0]}" in escape(f"a :{emoji}: b")
    for arrow in ("->", "<-", "<->", "--", ">=", "<=", "~="):
        bare = escape(f"a {arrow} b").replace("\\", "")
        assert bare == f"a {arrow[0]}{joiner}{arrow[1:]} b", "Streamlit draws signs that stand alone"
        assert joiner not in escape(f"a{arrow}b.jpg")


@given(st.text())
def test_nothing_that_starts_markup_is_left(text: str) -> None:
    done = escape(text)
    bare = done.replace(r"\\", "")
    for sign in "`*_[]<>!~$&#":
        assert bare.count(sign) == bare.count(f"\\{sign}")
    assert "://" not in done
    assert "\n" not in done


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\u2060", exclude_categories=("Zs", "Cc"))))
def test_without_escapes_it_is_the_text(text: str) -> None:
    done, place = "", 0
    escaped = escape(text)
    while place < len(escaped):
        place += escaped[place] == "\\"
        done += escaped[place]
        place += 1
    assert done.replace("\u2060", "").split() == text.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "words"), [(foreign_texts, "Use url_viz.ui.text.escape:"), (drawn_without_alt, "Say it by alt=:")]
)
def test_pages_draw_no_text_of_others_as_markdown_and_say_what_charts_and_tables_are(
    check: Callable[[str], list[str]], words: str
) -> None:
    """Text is written there, a number, escaped, or put together of these; who sees no chart hears its `alt`."""
    found = [f"{path}:{one}" for path in FILES for one in check(path.read_text(encoding="utf-8"))]
    assert not found, "\n".join([words, *found])


def test_the_check_finds_charts_and_tables_without_a_description() -> None:
    bad = (
        "st.dataframe(rows)",
        "st.plotly_chart(figure, alt='')",
        "column.table(rows)",
        "st.line_chart(rows, alt=None)",
    )
    assert all(map(drawn_without_alt, bad))
    good = ("st.dataframe(rows, alt='The rows')", "st.line_chart(rows, alt=f'{name} by step')", "image_set.table()")
    assert not any(map(drawn_without_alt, good))


def test_the_check_finds_other_ways() -> None:
    bad = (
        "st.error(str(error))",
        "st.markdown(f'**{name}**')",
        "st.caption(', '.join(names))",
        "st.pills('Why', names)",
        "st.pills('Why', names, format_func=lambda name: name)",
        "st.button('Go', help=name)",
        "words = name\nst.info(words)",
        "st.info(Markdown(name))",
        "column.metric(f'{name!r}', 3)",
        "def f() -> Markdown:\n    return name\nst.info(f())",
    )
    for source in bad:
        assert foreign_texts(source), source
    good = (
        "st.error(escape(error))",
        "st.markdown(f'**{escape(name)}** {count:,}')",
        "words = 'a' if x else 'b'\nst.info(words)",
        "st.selectbox('Class', names)",
        "st.button(label='Go', help=None)",
        "st.pills('Why', names, format_func=lambda name: f'{escape(name)} {n[name]:,}')",
        "st.info(Markdown('\\n'.join(map(escape, names))))",
    )
    for source in good:
        assert not foreign_texts(source), source


def test_commands_in_sentences_are_code_and_all_else_is_literal() -> None:
    assert with_code("Run `pip install a_b`, *now*.") == r"Run `pip install a_b`, \*now\*."
    assert with_code("A lone ` and [x](y)") == escape("A lone ` and [x](y)")
    assert with_code("``") == ""


WHEN = datetime.datetime(2026, 11, 29, 22, 9, tzinfo=datetime.UTC)


def test_a_time_is_told_in_the_browsers_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert time_in_words(WHEN) == "29 Nov, 22:09 UTC", "no browser says where it is"
    assert date_and_time(WHEN) == "2026-11-29, 22:09 UTC"
    monkeypatch.setattr(local_time, "visitors_zone", lambda: ZoneInfo("Asia/Tokyo"))
    assert time_in_words(WHEN) == "30 Nov, 07:09"
    assert date_and_time(WHEN) == "2026-11-30, 07:09"


@pytest.fixture
def image_set(tmp_path: Path) -> ImageSet:
    """One picture in two files, under embeddings of the user's own."""
    (tmp_path / "photos").mkdir()
    noise(1).save(tmp_path / "photos" / "0.jpg")
    return given_set(tmp_path, ["0.jpg", "1.jpg"], np.ones((2, 4)))


def said(act: Callable[[], object]) -> str:
    """The one toast of a callback that acts so."""

    def script(act: "Callable[[], object]") -> None:
        from url_viz.ui.text import with_toast

        with_toast(act)()

    [toast] = AppTest.from_function(script, args=(act,)).run().toast
    return str(toast.value)


def test_what_was_done_is_said_and_what_could_not_be(image_set: ImageSet) -> None:
    assert "no picture with id 17" in said(lambda: image_set.decisions.decide([17], "keep"))
    assert "1 picture" in said(lambda: image_set.twins.keep_one().sentence)
    paths = image_set.workspace.set_paths(image_set.set_id)
    for path in paths.folder.glob("decisions.*"):
        path.unlink()
    paths.decisions.write_bytes(b"no database" * 100)
    assert r"\`sqlite3 FILE .recover\`" in said(lambda: image_set.twins.keep_one().sentence)


def test_labels_on_a_full_disk(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("url_viz.base.records.replaced", full)
    assert "is full" in said(lambda: image_set.labels.use(None))
