"""`jaxattn.open`: a result from its directory, with ``ds.jaxattn`` on it."""

from jaxattn.api import accessor
from jaxattn.results.files import open_run

__all__ = ["accessor", "open_run"]
