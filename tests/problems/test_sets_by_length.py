"""Sets of bags of unlike lengths: in pieces of like ones, what they are whole."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import EPS, PRECISION, distance, hyper, jit, one_of

from jaxattn.core.buckets import Buckets
from jaxattn.core.contracts import AttentionMap, Data, Example, InputError, Model, Splits, Task
from jaxattn.core.streams import streams
from jaxattn.core.vocabulary import Vocabulary
from jaxattn.flow import make_flow
from jaxattn.models import text
from jaxattn.probes.record import make_measure
from jaxattn.problems import by_length
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.microbatch import gradient_in_pieces
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

LONGEST, CLASSES = 9, 2
WORDS = Vocabulary(tuple("?" * 8))
LENGTHS = (2, 3, 4, 5, 9)
"""Every second one is of sets: 2, 4 and 9."""


def posts(lengths, seed=0):
    """Posts of these lengths; the first has no rationale, the last counts nothing."""
    draw = np.random.default_rng(seed)
    mask = np.arange(LONGEST) < np.asarray(lengths)[:, None]
    marked = draw.random(mask.shape) < 0.4
    marked[0] = False
    return Example(
        segments=np.where(mask, draw.integers(2, 8, mask.shape), 0).astype(np.int32),
        mask=mask,
        label=draw.integers(0, CLASSES, len(mask)).astype(np.int32),
        foreground=marked & mask,
        weight=np.append(draw.uniform(1, 2, len(mask) - 1), 0.0).astype(PRECISION),
    )


# In no order; pieces of three have longest bags at an edge and one beyond it; of the test set a
# bucket is empty.
TRAIN, TEST = posts((9, 3, 4, 1, 5, 3, 8, 4, 5, 4, 9)), posts((2, 9, 1, 5, 2, 9), 1)
EVALUATE = {
    name: jax.tree.map(jnp.asarray, of) for name, of in {"train": TRAIN, "test": TEST}.items()
}


def problem_of(paradigm, buckets, attention="softmax", model=None):
    task = Task("posts", LONGEST, CLASSES, lambda seed: {}, one_of(TRAIN), vocabulary=WORDS)
    task = replace(task, buckets=buckets)
    model = text(CLASSES, WORDS, features=3, width=4) if model is None else model
    return attention_problem(task, model, paradigm, attention, PRECISION)


BUCKETS = Buckets(LENGTHS, np.searchsorted(LENGTHS, TRAIN.mask.sum(1)))


@pytest.fixture(scope="module")
def both():
    """The problem at full length and by buckets, in pieces of three posts; parameters."""
    whole, cut = (problem_of("hybrid", buckets) for buckets in (None, BUCKETS))
    assert (whole.lengths, cut.lengths) == ((), (2, 4, 9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_length, "PIECES", 4)
        yield whole, cut, whole.init(jax.random.key(0), hyper())


def test_every_measure_is_that_of_whole_bags_and_what_fills_them_up_has_no_attention(both) -> None:
    whole, cut, params = both
    rows = jax.tree.map(lambda leaf: jnp.stack([leaf, -leaf]), params)

    def of(problem):
        measure = make_measure(problem.measure, problem.measure_split)
        return jit(jax.vmap(lambda params: measure(params, hyper(), EVALUATE)))(rows)

    expected, found = of(whole), of(cut)
    assert expected.keys() == found.keys() == {spec.name for spec in cut.measures}
    for name, values in expected.items():
        # Per cent, of means over eleven posts of at most nine words.
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e4 * EPS, err_msg=name)
    shown = found["attention_shown"][:, 0]
    np.testing.assert_array_equal(shown[:, ~TRAIN.mask[:4]], 0)
    assert (shown[:, TRAIN.mask[:4]] > 0).all()


def test_loss_and_gradient_of_a_set_are_those_of_whole_bags(both) -> None:
    whole, cut, params = both

    def of(problem):
        slope = gradient_in_pieces(problem)

        def at(time):
            given = (hyper(), time, None, ())
            return [slope(params, batch, *given)[:2] for batch in EVALUATE.values()]

        # Soft, and hard.
        return jit(jax.vmap(at))(jnp.array([0.0, 2.0], PRECISION))

    # Sums over at most 99 words of terms of order one.
    assert distance(of(whole), of(cut)) <= 100 * EPS


def test_rows_of_unlike_bags_share_one_choice() -> None:
    seen = by_length.as_short(lambda params, batch: jnp.int32(batch.mask.shape[1]), (2, 4, 9))
    # Of four rows, a bag each.
    stacked = jax.tree.map(lambda leaf: leaf[np.array([1, 2, 3, 7]), None], TRAIN)
    np.testing.assert_array_equal(jax.vmap(seen, (None, 0))(None, stacked), [4] * 4)
    twice = jax.tree.map(lambda leaf: leaf.reshape(2, 2, *leaf.shape[1:]), stacked)
    text = str(jax.make_jaxpr(jax.vmap(jax.vmap(seen, (None, 0)), (None, 0)))(None, twice))
    assert "cond[" in text
    assert "select_n" not in text.split("cond[")[1]


def test_pieces_are_of_like_lengths_and_hold_every_bag_once(monkeypatch) -> None:
    monkeypatch.setattr(by_length, "PIECES", 4)
    rows = np.asarray(by_length.pieces_by_length(jax.tree.map(jnp.asarray, TRAIN), None))
    assert rows.shape == (4, 3)
    np.testing.assert_array_equal(np.sort(rows.ravel()), np.arange(12))
    counted = np.where(TRAIN.weight > 0, TRAIN.mask.sum(1), 0)
    assert (np.diff(counted[rows.ravel()[:11]]) >= 0).all()
    assert by_length.pieces_by_length(TRAIN, 2).shape == (6, 2)


def test_training_by_length_has_the_objective_of_whole_bags(both) -> None:
    whole, cut, params = both
    order = Order("by-length", 4, buckets=BUCKETS)
    data = Splits(Data(TRAIN), {"train": Data(TRAIN)})
    found = []
    for problem in (whole, cut):
        bare = problem._replace(measure=lambda params, batch, hyper: {}, measures=())
        train = make_train(bare, as_optimiser("sgd"), (0, 4), order)
        found.append(jit(train)(params, hyper(), data, streams(0)).measures)
    for name in ("objective", "gradient_norm"):
        # Four steps of rate 0.1, each of a hundred terms.
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1000 * EPS, err_msg=name)


@pytest.mark.needs_x64
def test_a_flow_is_that_of_whole_bags(both) -> None:
    *_, params = both
    data = Splits(Data(TRAIN), {"train": Data(TRAIN)})
    found = []
    for buckets in (None, BUCKETS):
        problem = problem_of("soft", buckets)
        bare = problem._replace(measure=lambda params, batch, hyper: {}, measures=())
        flow = make_flow(bare, as_optimiser("sgd"), (0, 5), solver="tsit5")
        found.append(jit(flow)(params, hyper(), data, streams(0)))
    for name in ("objective", "gradient_norm"):
        one, other = (each.measures[name] for each in found)
        # Two solutions, each to the tolerance of a step, 1e-8.
        np.testing.assert_allclose(one, other, rtol=1e-7, err_msg=name)


def test_a_model_that_reads_bags_of_one_length_alone_is_given_whole_ones() -> None:
    plain = text(CLASSES, WORDS, features=3, width=4)
    places = np.linspace(0, 1, LONGEST).astype(PRECISION)

    def score(params, example, values):
        return plain.score(params, example, values) + places

    fixed = Model(plain.init, plain.represent, score, plain.classify)
    assert problem_of("soft", BUCKETS, model=fixed).lengths == ()
    assert problem_of("soft", Buckets((9,), np.zeros(11, int))).lengths == ()


def test_attention_that_changes_with_what_is_masked_out_at_the_end_is_refused() -> None:
    def by_count(scores, example, hyper):
        return jax.nn.log_softmax(jnp.where(example.mask, scores / scores.size, -jnp.inf))

    problem_of("soft", None, AttentionMap(by_count)).verify()
    with pytest.raises(InputError, match="'by_count': got other attention where segments"):
        problem_of("soft", BUCKETS, AttentionMap(by_count)).verify()
