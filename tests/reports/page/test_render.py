"""The page as a file: whole, alone, escaped, and built so that anyone can read it."""

import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hostile_text import HOSTILE

from jaxattn.core.text import printable
from jaxattn.reports.page import Card, Collapsible, Figure, Page, Section, Table, cell, render

EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}"
VOID = {"meta", "link", "img", "br", "input"}


class Read(HTMLParser):
    """The tags of a page in order, and whether each is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(text: str = "digits") -> Page:
    sheet = Table(text, text, [text, "value"], [[cell(text), cell(1.5)], [cell(text), cell(None)]])
    figure = Figure(text, text, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg+xml")
    closed = figure._replace(open=False), sheet._replace(open=False)
    sections = [
        Section(
            "Findings",
            text,
            [Card(text, text, text, text), Card(text, text)],
            collapsibles=[Collapsible(text, [text]), Collapsible(text, [text], open=False)],
        ),
        Section("Figures", figures=[figure, closed[0]]),
        Section("Numbers", tables=[sheet, closed[1]], facts=[(text, text)], code=[(text, text)]),
    ]
    return Page(text, text, sections, text)


@pytest.mark.parametrize("text", [EVIL, *HOSTILE], ids=range(1 + len(HOSTILE)))
def test_every_text_is_shown_as_it_is_and_none_becomes_markup(text):
    plain, evil = Read(render(page())), Read(render(page(text)))
    assert [tag for tag, _ in evil.tags] == [tag for tag, _ in plain.tags]
    shown = "\n".join(map(printable, text.split("\n")))
    assert evil.words.count(shown) == plain.words.count("digits")
    assert evil.all("img")[0]["alt"] == shown
    render(page(text)).encode()


def test_the_page_asks_for_nothing_from_elsewhere():
    text = render(page())
    read = Read(text)
    addresses = [a for _, at in read.tags for a in (at.get("src"), at.get("href")) if a]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"url\(|@import|https?://", text)
    policy = next(at for at in read.all("meta") if at.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")


def test_the_page_can_be_found_ones_way_in_without_eyes_or_mouse():
    read = Read(render(page()))
    assert not read.open
    assert read.all("html") == [{"lang": "en"}]
    ids = [at["id"] for _, at in read.tags if "id" in at]
    assert len(set(ids)) == len(ids)
    assert {at["href"][1:] for at in read.all("a")} <= set(ids)
    assert all(at["alt"] for at in read.all("img"))
    assert all(at.get("scope") == "col" for at in read.all("th"))
    assert len(read.all("caption")) == len(read.all("table"))
    # What scrolls can be reached by the keyboard, and says what it is.
    assert all({"tabindex", "aria-label"} <= set(at) for at in read.all("pre"))
    regions = [at for at in read.all("div") if at.get("role") == "region"]
    assert len(regions) == len(read.all("table"))
    assert all({"tabindex", "aria-label"} <= set(at) for at in regions)


def test_every_cell_says_its_column_where_it_stands_as_a_block():
    read = Read(render(page()))
    assert [at["data-label"] for at in read.all("td")] == ["digits", "value"] * 4


def test_what_is_folded_is_under_a_summary_and_its_heading_is_there():
    text = render(page())
    read = Read(text)
    # A list of sentences, what more a card says, a figure and a table.
    assert len(read.all("details")) == len(read.all("summary")) == 4
    assert not any("open" in at for at in read.all("details"))
    folds = re.findall(r"<details><summary>(.*?)</summary>(.*?)</details>", text, re.DOTALL)
    bodies = [body for heading, body in folds if "<h3>digits</h3>" in heading]
    assert ["<figure>" in body for body in bodies] == [True, False]
    assert ["<table" in body for body in bodies] == [False, True]
    # In print nothing is folded.
    assert re.search(
        r"@media print \{[^@]*details::details-content \{ content-visibility: visible", text
    )


def test_headings_go_down_one_level_at_a_time():
    levels = [int(tag[1]) for tag, _ in Read(render(page())).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"),
        (np.nan, "\N{EN DASH}"),
        (0.123456, "0.123"),
        (-1e-9, "\N{MINUS SIGN}1e\N{MINUS SIGN}09"),
        (np.float32(2.5), "2.5"),
        (-0.0, "0"),
        (12345.0, "12300"),
        (np.inf, "open"),
        (7, "7"),
        (np.int64(12345), "12345"),
        (True, "yes"),
        ("soft", "soft"),
    ],
)
def test_a_cell_is_read_by_a_person_and_sorted_by_its_value(value, text):
    one = cell(value)
    assert one.text == text
    if isinstance(value, float | int) and np.isfinite(value):
        assert one.by == value
