"""A page as one HTML file: no network, no other file, everything from data escaped.

It has no script but one that sorts tables, and asks for nothing: its content security policy
forbids it.
"""

import base64
import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from jaxattn.reports.page.page import Figure, Page

__all__ = ["render"]


def render(page: Page) -> str:
    """The page as HTML, styles, script and pictures inside.

    Every text is escaped by the template; pictures are ``data:`` addresses of images, in which
    no script runs.
    """
    environment = Environment(
        loader=PackageLoader("jaxattn.reports.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"anchor": _anchor, "address": _address}
    return environment.get_template("page.html.jinja").render(page=page)


def _anchor(text: str) -> str:
    """A heading as the name of its place in the page."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _address(figure: Figure) -> str:
    return f"data:image/{figure.kind};base64,{base64.b64encode(figure.content).decode()}"
