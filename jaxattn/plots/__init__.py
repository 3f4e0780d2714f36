"""Figures of a result: each a function ``figure(ds, ax=None, ...) -> Axes``, one look for all.

They draw what `jaxattn.compare` and `jaxattn.open` return, also half finished: runs that are not
done are left out, and the title says how many. One learning rate is drawn at a time, and the
first value of any other swept axis; select before drawing to see others, as in
``focus(ds.sel(temperature=2.0))``.
"""

from jaxattn.plots.answer_maps import answer_map, answer_maps
from jaxattn.plots.attention_images import attention_on_images
from jaxattn.plots.curves import accuracy, curves, focus, learning
from jaxattn.plots.distribution import distribution
from jaxattn.plots.drawing import Drawing, gallery
from jaxattn.plots.error_cells import error_cells
from jaxattn.plots.error_cells_by_class import error_cells_by_class
from jaxattn.plots.forest import answers
from jaxattn.plots.limit_gaps import distance, distances
from jaxattn.plots.limit_orders import orders
from jaxattn.plots.limit_sharpness import sharpness, sharpnesses
from jaxattn.plots.overview import overview
from jaxattn.plots.parameters import parameters
from jaxattn.plots.rate_sensitivity import rate_sensitivity
from jaxattn.plots.reduced_system import mu_nu, population
from jaxattn.plots.save import save
from jaxattn.plots.style import COLOURS, Style, style_of
from jaxattn.plots.train_beside_flow import beside_flow

__all__ = [
    "COLOURS",
    "Drawing",
    "Style",
    "accuracy",
    "answer_map",
    "answer_maps",
    "answers",
    "attention_on_images",
    "beside_flow",
    "curves",
    "distance",
    "distances",
    "distribution",
    "error_cells",
    "error_cells_by_class",
    "focus",
    "gallery",
    "learning",
    "mu_nu",
    "orders",
    "overview",
    "parameters",
    "population",
    "rate_sensitivity",
    "save",
    "sharpness",
    "sharpnesses",
    "style_of",
]
