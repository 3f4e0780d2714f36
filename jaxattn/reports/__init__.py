"""A run as one HTML page, and a comparison written to a directory.

A page is made from the files of its run, and from nothing else: `compare` and `reproduce` write
``results.nc`` and ``run.json``, then call what ``jaxattn report`` calls, so the page can be made
again byte for byte.
"""
