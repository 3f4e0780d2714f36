"""Populations of any frequency and Gram matrix, and quasi-random noise."""

import numpy as np
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.problems.data import check
from jaxattn.tasks import orthogonal_population
from jaxattn.tasks.population import (
    foregrounds,
    gram_population,
    noisy_population,
    quasi_normal,
)

GRAM = np.array([[1.0, 0.5, 0.2], [0.5, 2.0, -0.3], [0.2, -0.3, 0.7]])


def test_foregrounds_have_the_inner_products_asked_for_also_where_two_are_equal():
    for gram in (GRAM, np.ones((3, 3)), np.eye(2)):
        vectors = foregrounds(gram)
        np.testing.assert_allclose(vectors @ vectors.T, gram, atol=1e-14)
    np.testing.assert_allclose(foregrounds(np.eye(4)), np.eye(4), atol=1e-15)


def test_equal_frequencies_and_orthonormal_foregrounds_are_the_orthogonal_population():
    ours = gram_population([7, 7, 7], np.eye(3), 4).make(0)["train"].examples
    theirs = orthogonal_population(3, 4).make(0)["train"].examples
    for a, b in zip(ours._replace(weight=theirs.weight), theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-15)
    np.testing.assert_allclose(ours.weight, 1 / 3)


def test_bags_weigh_what_their_class_is_frequent_and_counts_will_do():
    task = gram_population([1, 2, 5], GRAM, 4)
    bags = task.make(3)["train"].examples
    np.testing.assert_allclose(bags.weight, [0.125, 0.25, 0.625])
    np.testing.assert_allclose(bags.segments[:, 0], foregrounds(GRAM))
    assert not bags.segments[:, 1:].any()
    assert task is gram_population(np.array([0.125, 0.25, 0.625]), GRAM.tolist(), 4)


def test_noise_has_no_odd_moments_unit_variance_and_favours_no_class():
    noise = quasi_normal(3, 4, 256, 0)
    assert noise.shape == (3, 512, 3, 3)
    np.testing.assert_allclose(noise.mean(1), 0, atol=1e-15)
    # 512 draws, half of them mirror images: 1/16 is one standard deviation of plain ones.
    np.testing.assert_allclose(noise.var(1), 1, atol=0.07)
    for label in range(3):
        np.testing.assert_array_equal(noise[label], np.roll(noise[0], label, axis=-1))
    np.testing.assert_array_equal(noise, quasi_normal(3, 4, 256, 0))
    assert (noise != quasi_normal(3, 4, 256, 1)).any()


def test_more_quasi_random_points_find_an_expectation_faster_than_random_ones_do():
    # E max of nine normal numbers over scrambles: the error falls as 1/N or nearly, by more than
    # the factor of 4 that 16 times as many random points would give.
    spread = [
        np.std([quasi_normal(3, 4, points, seed)[0].max((1, 2)).mean() for seed in range(16)])
        for points in (32, 512)
    ]
    assert spread[0] > 5 * spread[1]


def test_a_noisy_bag_has_its_foreground_first_and_noise_of_the_spread_asked_for():
    task = noisy_population(3, 4, 0.2, 8)
    bags = task.make(5)["train"].examples
    assert bags.segments.shape == (48, 4, 3)
    np.testing.assert_array_equal(bags.segments[:, 0], np.eye(3)[bags.label])
    background = bags.segments[:, 1:].reshape(3, 16, 3, 3)
    np.testing.assert_allclose(background, 0.2 * quasi_normal(3, 4, 8, 5))
    assert task is noisy_population(np.int64(3), 4, 0.2, 8)


@pytest.mark.parametrize("task", [gram_population([1, 2], None, 3), noisy_population(2, 3, 0.1, 4)])
def test_made_data_is_sound_and_has_the_shapes_of_the_template(task):
    data = task.make(2)["train"]
    check(data, task.name, task.classes)
    for leaf, one in zip(data.examples, task.template, strict=True):
        assert np.shape(leaf)[1:] == np.shape(one)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gram_population([1, 0]), "frequencies: got .*, expected one positive number"),
        (lambda: gram_population([1, np.nan]), "frequencies: got"),
        (lambda: gram_population([1]), "classes: got 1, expected an integer >= 2"),
        (lambda: gram_population([1, 2], np.eye(3)), "gram: got 3 foregrounds for 2 frequencies"),
        (lambda: gram_population([1, 2], None, 1), "segments: got 1"),
        (lambda: foregrounds([[1, 2, 3]]), "gram: got .*, expected a square matrix"),
        (lambda: foregrounds([[1, np.inf], [np.inf, 1]]), "finite numbers"),
        (lambda: foregrounds([[1, 0.5], [0.4, 1]]), "not symmetric"),
        (lambda: foregrounds([[1, 2], [2, 1]]), "smallest eigenvalue of -1, expected 0 or more"),
        (lambda: noisy_population(noise=-0.1), "noise: got -0.1"),
        (lambda: noisy_population(points=24), "points: got 24, expected a power of 2; use 32"),
        (lambda: noisy_population().make(-1), "dataset seed: got -1"),
    ],
)
def test_what_is_no_population_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
