"""A task of one's own gives what it says."""

import dataclasses

import numpy as np
import pytest
from helpers import CLASSES, SEGMENTS, bags, one_of, task_of

from jaxattn.core.contracts import Data, InputError
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.check_data import check_splits, check_template
from jaxattn.tasks import TASKS, digits, orthogonal
from jaxattn.tasks.readers.catalogue import SETS

BATCH = bags(np.random.default_rng(4), 6)
TASK = task_of(BATCH)


def changed(**parts):
    return BATCH._replace(**parts)


def test_every_task_by_name_is_what_it_says():
    small = {"digits": {"train": 4, "test": 3, "validation": 2}}
    small["orthogonal"] = {"train": 4, "test": 3, "validation": 2}
    # Those of data on disk are tried on such, in tests/tasks/test_published.py.
    for name in TASKS.keys() - SETS.keys() - {"coco"}:
        factory = TASKS[name]
        task = factory(**small.get(name, {}))
        check_template(task)
        check_splits(task, task.make(0))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Data(BATCH), "task 'bags', make: got Data, expected Data by name"),
        ({"test": Data(BATCH)}, "make: got test, expected Data by name .* 'train' among them"),
        ({"train": BATCH}, "make: got Example, expected Data by name of the split"),
        ({}, "make: got dict, expected Data by name"),
        ({"train": Data(changed(label=BATCH.label + CLASSES))}, "bags, train: got label"),
        (
            {"train": Data(BATCH), "test": Data(changed(segments=BATCH.segments[..., :2]))},
            r"bags, test: got .segments of float\d+ \(4, 2\) a bag, expected float\d+ \(4, 5\)",
        ),
        (
            {"train": Data(changed(segments=BATCH.segments.astype(int)))},
            r"bags, train: got .segments of int\d+ \(4, 5\) a bag, expected float",
        ),
        (
            {"train": Data(changed(segments=(BATCH.segments, BATCH.segments)))},
            "bags, train: got segments .*expected those of the task's template",
        ),
        (
            {"train": Data(BATCH._replace(segments=np.zeros((6, SEGMENTS), int)), np.ones((2, 3)))},
            r"bags, train: got .segments of float64 \(4, 3\) a bag, expected float",
        ),
    ],
)
def test_other_data_are_refused(made, words):
    with pytest.raises(InputError, match=words):
        check_splits(TASK, made)


def test_bags_of_another_length_are_refused_although_they_fit_each_other():
    longer = orthogonal(3, SEGMENTS + 1, train=2, test=2, points=2, validation=0)
    task = dataclasses.replace(longer, template=one_of(BATCH), segments=SEGMENTS)
    with pytest.raises(InputError, match=r"orthogonal, train: got .segments of float64 \(5, 4\)"):
        check_splits(task, longer.make(0))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"segments": 7}, "task 'bags', template: got 4 segments, expected the 7 that the task"),
        ({"template": Data(one_of(BATCH))}, "template: got Data, expected an Example"),
        ({"template": one_of(BATCH)._replace(weight=1.0)}, "template: got float, expected arrays"),
        ({"template": one_of(BATCH)._replace(mask=np.ones(3, bool))}, "template: got .* shape"),
        ({"template": BATCH}, "template: got a mask of shape"),
    ],
)
def test_a_template_that_is_no_example_of_the_task_is_refused_with_the_problem(parts, words):
    task = dataclasses.replace(TASK)
    for name, value in parts.items():  # without the check of types that tests have on top
        object.__setattr__(task, name, value)
    with pytest.raises(InputError, match=words):
        attention_problem(task, "linear", "soft")


def test_floats_of_any_width_are_alike():
    task = digits(train=2, test=2, validation=0)
    made = task.make(0)["train"]
    check_splits(task, {"train": made._replace(pool=made.pool.astype("float16"))})
