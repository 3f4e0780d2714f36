"""Published data sets of images and of posts: the one folder below `results` that opens files.

What is read is checked before memory is taken for it: a file may be truncated, or made to harm.
"""

from jaxattn.tasks.readers.images import Images, ImageSet
from jaxattn.tasks.readers.posts import POST_LAYOUTS, holds_posts, read_posts
from jaxattn.tasks.readers.read import LAYOUTS, read_images

__all__ = [
    "LAYOUTS",
    "POST_LAYOUTS",
    "ImageSet",
    "Images",
    "holds_posts",
    "read_images",
    "read_posts",
]
