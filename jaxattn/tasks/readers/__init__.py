"""Data sets of images as they are published: the one folder below `results` that opens files.

What is read is checked before memory is taken for it: a file may be truncated, or made to harm.
"""

from jaxattn.tasks.readers.images import Images, ImageSet
from jaxattn.tasks.readers.read import LAYOUTS, read_images

__all__ = ["LAYOUTS", "ImageSet", "Images", "read_images"]
