"""``python -m jaxattn``: the command line."""

from jaxattn.cli.main import console

__all__: list[str] = []

if __name__ == "__main__":
    console()
