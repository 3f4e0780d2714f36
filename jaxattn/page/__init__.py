"""A page that stands alone: findings, figures and tables of a run in one HTML file."""

from jaxattn.page.contents import Cell, Figure, Fold, Page, Section, Sheet, cell
from jaxattn.page.render import render

__all__ = ["Cell", "Figure", "Fold", "Page", "Section", "Sheet", "cell", "render"]
