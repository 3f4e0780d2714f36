"""Text that is markup, or a command, to something: matplotlib, HTML, rich, a terminal, a disk."""

__all__ = ["HOSTILE"]

HOSTILE = (
    r"$\foo$",
    "$x$ and $",
    r"costs \$5, or $6",
    "_mine",
    "100 % {of} it",
    "%s %(name)d {0}",
    "<script>alert(1)</script>",
    "a & b < c > \"d\" 'e'",
    "]]>--><!--",
    "[red]warm[/red]",
    "[/]",
    "[link=file:///etc]here[/link]",
    ":smile:",
    "\x1b[2J\x1b]0;title\x07",
    "over\rwritten\b\b",
    "two\nlines",
    "\u202eright to left",
    "\x00",
    "\ud800",
    "../../../etc/passwd",
    "/absolute",
    "..",
    ".hidden",
    "-rf",
    "a=[0.1,0.2]",
    "con:aux|nul?*",
    "x" * 300,
)
"""Each is to be shown as its letters, and to do nothing else."""
