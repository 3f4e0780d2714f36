"""Text from users as one line, and as the name of a file."""

from pathlib import Path

import pytest
from hostile_text import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from jaxattn.core.errors import InputError, LateError, in_a_line
from jaxattn.core.text import file_name, printable


@given(st.text() | st.sampled_from(HOSTILE))
def test_a_printable_line_is_one_and_stays_what_it_is(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    if text.isprintable():
        assert shown == text
    shown.encode()
    for error in (InputError(text), LateError(text), ValueError(text)):
        assert in_a_line(error).isprintable()
    assert str(InputError(text)) == str(LateError(text)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines", "two lines"),
        ("a \t\r\n b", "a b"),
        ("a  b", "a  b"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\ud800", "\\ud800"),
        ("\u202eabc", "\\u202eabc"),
        ("\x00", "\\x00"),
    ],
)
def test_what_would_command_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text() | st.sampled_from(HOSTILE), st.text())
def test_a_name_of_a_file_is_one_and_its_own(text: str, other: str) -> None:
    name = file_name(text)
    assert Path("folder", name).parent == Path("folder")
    assert name
    assert not name.startswith((".", "-"))
    assert name.isascii()
    assert name.isprintable()
    assert len(name) < 120
    assert (file_name(other) == name) == (other == text)


@pytest.mark.parametrize(
    "name", ["digits", "orthogonal-population", "distribution_accuracy", "a.b"]
)
def test_a_plain_name_is_that_of_its_file(name: str) -> None:
    assert file_name(name) == name
