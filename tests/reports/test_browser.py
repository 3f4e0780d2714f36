"""The report as a browser shows it, with no network: light and dark, on a desk and on a phone."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from example_experiment import DRAWN
from example_results import example_result

from jaxattn.experiments import reproduce
from jaxattn.reports.comparison import report_into
from jaxattn.results.files import write_results

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: chromium)"),
]

# A proxy that nobody serves: whatever asks for the network fails, and the console says so.
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--proxy-server=127.0.0.1:9", "--enable-logging=stderr"),
]
DESK = "1200,900"
FRAME = "600,900"
PHONE = 390  # pixels of a frame: a headless window is never narrower than 500
DARK = "--blink-settings=preferredColorScheme=0"

PROBE = """
<script>
const style = getComputedStyle(document.body);
const found = {
  width: innerWidth,
  wide: document.documentElement.scrollWidth,
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  ground: style.backgroundColor,
  text: style.color,
  unseen: [...document.images].filter((image) => !image.naturalWidth).length,
};
const table = document.querySelector("table.sortable"), head = table.tHead.rows[0].cells[0];
const column = () => [...table.tBodies[0].rows].map((row) => row.cells[0].dataset.by);
head.firstElementChild.click();
found.up = [head.getAttribute("aria-sort"), column()];
head.firstElementChild.click();
found.down = [head.getAttribute("aria-sort"), column()];
const box = (element) => element.getBoundingClientRect();
for (const fold of document.querySelectorAll("details")) fold.open = true;
const sides = [...document.querySelectorAll(".cards > li, .scroll td")].map(box);
found.unfolded = document.documentElement.scrollWidth;
found.right = Math.max(...sides.map((side) => side.right));
const cell = table.tBodies[0].rows[0].cells[1];
found.label = getComputedStyle(cell, "::before").content;
found.heading = head.parentElement.cells[1].textContent;
found.sorts = box(head.firstElementChild).height;
(window.frameElement?.ownerDocument ?? document).body.dataset.found = JSON.stringify(found);
</script>
</body>"""


@pytest.fixture(scope="module", params=["comparison", "experiment"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    if request.param == "experiment":
        reproduce(DRAWN, "small", folder, False, lambda progress: None)
        return folder / "report.html"
    write_results(example_result(flow_seeds=2), folder)
    return report_into(folder)[0]


def opened(page: Path, *flags: str) -> tuple[str, str]:
    """The page's elements once it has settled, and what the browser said of it."""
    done = subprocess.run(
        [str(CHROMIUM), *QUIET, *flags, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, "\n".join(said)


def probed(report: Path, folder: Path, *flags: str, width: int = 0) -> dict[str, Any]:
    """What a script at the end of the page finds; pictures are loaded by then.

    Args:
        report: the page.
        folder: for the page with the script.
        flags: of the browser.
        width: of a frame in which the page is opened, in pixels; 0: it has the whole window.
    """
    page = folder / "probed.html"
    probe = PROBE.replace("<script>", "<script>addEventListener('load', () => {").replace(
        "</script>", "});</script>"
    )
    text = report.read_text().replace("</body>", probe)
    if width:
        style = f"width:{width}px;height:800px;border:0"
        text = f'<body><iframe style="{style}" srcdoc="{html.escape(text)}"></iframe></body>'
    page.write_text(text)
    elements, said = opened(page, *flags, "--dump-dom", "--virtual-time-budget=5000")
    assert said == ""
    (found,) = re.findall(r'data-found="([^"]*)"', elements)
    return json.loads(found.replace("&quot;", '"'))


def lightness(colour: str) -> float:
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_the_browser_has_nothing_to_complain_of_and_sees_every_picture(report, tmp_path):
    found = probed(report, tmp_path, f"--window-size={DESK}")
    assert found["unseen"] == 0


def test_a_click_sorts_a_table_and_another_turns_it_round(report, tmp_path):
    found = probed(report, tmp_path, f"--window-size={DESK}")
    assert found["up"] == ["ascending", sorted(found["up"][1])]
    assert found["down"] == ["descending", sorted(found["up"][1], reverse=True)]
    assert len(set(found["up"][1])) > 1


def test_on_a_phone_nothing_sticks_out_at_the_side_folded_or_not(report, tmp_path):
    found = probed(report, tmp_path, f"--window-size={FRAME}", width=PHONE)
    assert found["width"] == PHONE
    assert found["wide"] <= PHONE
    assert found["unfolded"] <= PHONE
    assert found["right"] <= PHONE


def test_on_a_phone_a_cell_says_its_heading_and_tables_can_still_be_sorted(report, tmp_path):
    desk = probed(report, tmp_path, f"--window-size={DESK}")
    phone = probed(report, tmp_path, f"--window-size={FRAME}", width=PHONE)
    assert desk["label"] == "none"
    assert json.loads(phone["label"]) == phone["heading"]
    assert phone["sorts"] > 10


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext (poppler-utils)")
def test_in_print_nothing_is_folded(report, tmp_path):
    printed, text = tmp_path / "page.pdf", report.read_text()
    opened(report, f"--print-to-pdf={printed}")
    told = subprocess.run(
        ["pdftotext", str(printed), "-"], capture_output=True, text=True, check=True
    ).stdout.split()
    folds = re.findall(r"<details><summary>.*?</summary>.*?</details>", text, re.DOTALL)
    assert len(folds) == text.count("<details")
    for fold in folds:
        # The first words after the summary, without their tags.
        words = html.unescape(re.sub(r"<[^>]*>", " ", fold.split("</summary>", 1)[1])).split()[:3]
        assert words in [told[at : at + 3] for at in range(len(told))], words


def test_in_the_dark_the_page_is_dark_and_its_text_is_light(report, tmp_path):
    light = probed(report, tmp_path, f"--window-size={DESK}")
    dark = probed(report, tmp_path, f"--window-size={DESK}", DARK)
    assert (light["dark"], dark["dark"]) == (False, True)
    assert lightness(light["ground"]) > 0.9 > 0.2 > lightness(light["text"])
    assert lightness(dark["ground"]) < 0.2 < 0.8 < lightness(dark["text"])


def test_a_screenshot_shows_more_than_one_colour(report, tmp_path):
    import matplotlib.image

    picture = tmp_path / "page.png"
    opened(report, f"--window-size={DESK}", f"--screenshot={picture}")
    pixels = matplotlib.image.imread(picture)
    assert pixels.shape[:2] == (900, 1200)
    assert pixels.std() > 0.05


def test_the_console_is_heard(report, tmp_path):
    page = tmp_path / "broken.html"
    page.write_text(report.read_text().replace('"use strict";', '"use strict"; missing();'))
    _, said = opened(page, "--dump-dom")
    assert "missing is not defined" in said
