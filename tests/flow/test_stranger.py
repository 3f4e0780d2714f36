"""A limit is one file: written, it is known by name, in its place, and has words."""

from pathlib import Path

from stranger import Copy

from jaxattn.flow import LIMITS

MINE = '''"""A limit of one's own."""

from jaxattn.flow.limits.base import Limit
from jaxattn.flow.limits.gradient import LIMIT as FLOW

__all__ = ["LIMIT"]

LIMIT = Limit(
    name="mine",
    words="the flow of mine",
    families=("sgd",),
    convergence_order=1,
    equation=FLOW.equation,
    clock="the optimiser's",
    source="nobody",
)
'''


def test_a_limit_is_added_by_one_file(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    copy.write("flow/limits/mine.py", MINE)
    names, words, limits = copy.tell(
        "from jaxattn.flow import LIMITS, limits_of\n"
        "from jaxattn.analysis.limit_wording import limit_words\n"
        "from jaxattn.training.optimisers import as_optimiser\n"
        "said = [list(LIMITS), limit_words('mine'), limits_of(as_optimiser('sgd'))]"
    )
    assert names == [*LIMITS, "mine"]
    assert words == "the flow of mine"
    assert "mine" in limits


def test_limits_stand_in_the_order_of_results_and_help() -> None:
    assert list(LIMITS) == [
        *("flow", "modified", "third-order", "heavy-ball"),
        *("adam", "rmsprop", "normalised", "sde", "reshuffling"),
    ]
    assert all(limit.words and limit.source and limit.clock for limit in LIMITS.values())
