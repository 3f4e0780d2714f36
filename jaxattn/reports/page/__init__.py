"""A page that stands alone: findings, figures and tables of a run in one HTML file."""

from jaxattn.reports.page.number_table import BAND_WORDS, has_bands, numbers_sheet
from jaxattn.reports.page.page import Card, Cell, Collapsible, Figure, Page, Section, Table, cell
from jaxattn.reports.page.render import render

__all__ = [
    "BAND_WORDS",
    "Card",
    "Cell",
    "Collapsible",
    "Figure",
    "Page",
    "Section",
    "Table",
    "cell",
    "has_bands",
    "numbers_sheet",
    "render",
]
