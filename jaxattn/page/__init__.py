"""A page that stands alone: findings, figures and tables of a run in one HTML file."""

from jaxattn.page.contents import Cell, Figure, Fold, Page, Section, Sheet, cell
from jaxattn.page.numbers import BAND_WORDS, has_bands, numbers_sheet
from jaxattn.page.render import render

__all__ = [
    "BAND_WORDS",
    "Cell",
    "Figure",
    "Fold",
    "Page",
    "Section",
    "Sheet",
    "cell",
    "has_bands",
    "numbers_sheet",
    "render",
]
