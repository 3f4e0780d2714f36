"""Which versions of packages run."""

from importlib import metadata

__all__ = ["version_of"]


def version_of(package: str) -> str:
    """The version of an installed package; unknown where its metadata are not there.

    A package that is found by its path alone, or was bundled without them, has none.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
