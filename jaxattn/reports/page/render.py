"""A page as one HTML file: no network, no other file, everything from data escaped.

It has no script but one that sorts tables, and asks for nothing: its content security policy
forbids it.
"""

import base64
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from jaxattn.core.text import printable
from jaxattn.reports.page.page import Figure, Page

__all__ = ["render"]


def render(page: Page) -> str:
    """The page as HTML, styles, script and pictures inside.

    Every text is escaped by the template, and printable, line by line; pictures are ``data:``
    addresses of images, in which no script runs.
    """
    environment = Environment(
        loader=PackageLoader("jaxattn.reports.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable_lines,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"anchor": _anchor, "address": _address}
    return environment.get_template("page.html.jinja").render(page=page)


def _printable_lines(value: Any) -> Any:
    return "\n".join(map(printable, value.split("\n"))) if isinstance(value, str) else value


def _anchor(text: str) -> str:
    """A heading as the name of its place in the page."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _address(figure: Figure) -> str:
    return f"data:image/{figure.kind};base64,{base64.b64encode(figure.content).decode()}"
