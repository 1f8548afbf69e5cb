"""Both losses against the lectures' sums, finite differences and each other's reductions."""

import numpy as np
import pytest
from helpers import FLOATS, SEEDS, identical, numbers, repeatable, slopes, untouched, whole_numbers
from hypothesis import given
from hypothesis import strategies as st

from cnnlib import SoftmaxCrossEntropy, SquaredError, formulas

LABELS = np.array([2, 0, 2, 1, 3])


def evaluated(loss, outputs, t):
    """The loss and its gradient."""
    return loss.forward(outputs, t), loss.backward()


# ---- softmax and cross-entropy ----------------------------------------------------------------------


@given(st.integers(1, 5), st.integers(1, 4), st.sampled_from(FLOATS), SEEDS)
@repeatable
def test_cross_entropy_agrees_with_the_sums(K, N, dtype, seed):
    scores, labels = 3 * numbers((K, N), seed, dtype), np.random.default_rng(seed).integers(0, K, N)
    J, delta = evaluated(SoftmaxCrossEntropy(), scores, labels)
    close = {"rtol": 0, "atol": 50 * np.finfo(dtype).eps}
    np.testing.assert_allclose(J, formulas.cross_entropy(scores, labels), **close)
    np.testing.assert_allclose(delta, formulas.cross_entropy_backward(scores, labels), **close)
    assert type(J) is float and delta.dtype == dtype and delta.shape == (K, N)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_agree_with_finite_differences(reduction):
    outputs = numbers((4, 5), 1)
    for loss, t in [(SoftmaxCrossEntropy(reduction), LABELS), (SquaredError(reduction), numbers((4, 5), 2))]:
        _, delta = evaluated(loss, outputs, t)
        slope = slopes(lambda loss=loss, t=t: loss.forward(outputs, t), outputs)
        np.testing.assert_allclose(delta, slope, rtol=0, atol=1e-8)


def test_gradient_is_p_minus_one_hot_as_in_k07():
    loss = SoftmaxCrossEntropy()
    J, delta = evaluated(loss, np.log([[0.3], [0.7]]), np.array([1]))
    assert J == pytest.approx(-np.log(0.7), rel=1e-15)
    np.testing.assert_allclose(loss.probabilities, [[0.3], [0.7]], rtol=1e-15)
    np.testing.assert_allclose(delta, [[0.3], [-0.3]], rtol=1e-15)


def test_equal_scores_cost_the_logarithm_of_the_number_of_classes():
    assert SoftmaxCrossEntropy().forward(np.full((10, 3), 7.0), np.array([0, 9, 4])) == pytest.approx(
        np.log(10)
    )


@given(st.integers(1, 6), st.integers(1, 5), SEEDS)
@repeatable
def test_probabilities_of_an_example_sum_to_one_and_its_gradient_to_zero(K, N, seed):
    loss = SoftmaxCrossEntropy()
    _, delta = evaluated(loss, 5 * numbers((K, N), seed), np.zeros(N, int))
    assert loss.probabilities.shape == (K, N) and (loss.probabilities > 0).all()
    np.testing.assert_allclose(loss.probabilities.sum(axis=0), 1, rtol=1e-14)
    np.testing.assert_allclose(delta.sum(axis=0), 0, atol=1e-15)


def test_adding_a_number_to_all_scores_of_an_example_changes_nothing():
    scores = np.round(numbers((4, 5), 1) * 64) / 64  # with few digits, so that the sum below is exact
    shifted = scores + np.array([0, 1, -1000, 2.0**20, -(2.0**30)])
    one, two = (evaluated(SoftmaxCrossEntropy(), s, LABELS) for s in (scores, shifted))
    assert one[0] == two[0]
    identical(one[1], two[1])


@pytest.mark.parametrize("dtype", FLOATS)
def test_huge_scores_give_finite_losses_and_gradients(dtype):
    scores = np.array([[1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]], dtype)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        J, delta = evaluated(SoftmaxCrossEntropy("sum"), scores, np.array([0, 1, 0]))
    assert J == pytest.approx(0 + 2e4 + np.log(2), rel=1e-7)
    np.testing.assert_array_equal(delta, [[0, 1, -0.5], [0, -1, 0.5]])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, np.int64])
def test_labels_are_integers_of_any_kind(dtype):
    scores = numbers((4, 5), 1)
    wanted = evaluated(SoftmaxCrossEntropy(), scores, LABELS)
    J, delta = evaluated(SoftmaxCrossEntropy(), scores, LABELS.astype(dtype))
    assert J == wanted[0]
    identical(delta, wanted[1])


def test_changing_the_labels_or_the_scores_afterwards_does_not_change_the_gradient():
    loss, scores, labels = SoftmaxCrossEntropy(), numbers((4, 5), 1), LABELS.copy()
    _, delta = evaluated(loss, scores, labels)
    labels[:], scores[:] = 0, 0
    identical(loss.backward(), delta)


# ---- squared error ----------------------------------------------------------------------------------


@given(st.integers(1, 5), st.integers(1, 4), st.sampled_from(FLOATS), SEEDS)
@repeatable
def test_squared_error_agrees_with_the_sums(D, N, dtype, seed):
    outputs, targets = numbers((D, N), seed, dtype), numbers((D, N), seed + 1, dtype)
    J, delta = evaluated(SquaredError(), outputs, targets)
    np.testing.assert_allclose(J, formulas.squared_error(outputs, targets), rtol=20 * np.finfo(dtype).eps)
    wanted = formulas.squared_error_backward(outputs, targets)
    np.testing.assert_allclose(delta, wanted, rtol=0, atol=20 * np.finfo(dtype).eps)
    assert type(J) is float and delta.dtype == dtype


def test_squared_error_is_half_the_squared_length_of_each_example():
    outputs, targets = np.array([[3.0, 0], [4, 0]]), np.array([[0, 0], [0, 2]])
    assert SquaredError().forward(outputs, targets) == (25 / 2 + 4 / 2) / 2
    assert SquaredError("sum").forward(outputs, targets) == 25 / 2 + 4 / 2


def test_squared_error_keeps_float32_whatever_the_targets():
    outputs = numbers((2, 3), 1, np.float32)
    for targets in (np.ones((2, 3)), np.ones((2, 3), int), np.ones((2, 3), np.uint8)):
        J, delta = evaluated(SquaredError(), outputs, targets)
        assert delta.dtype == np.float32 and type(J) is float
        np.testing.assert_array_equal(delta, (outputs - 1) / np.float32(3))


def test_squared_error_of_maps_averages_over_the_last_axis():
    for shape in [(5,), (2, 3, 5), (2, 3, 4, 5)]:
        outputs, targets = whole_numbers(shape, 1), whole_numbers(shape, 2)
        J, delta = evaluated(SquaredError(), outputs, targets)
        assert J == ((outputs - targets) ** 2).sum() / 2 / 5
        np.testing.assert_array_equal(delta, (outputs - targets) / 5)


# ---- both -------------------------------------------------------------------------------------------

BOTH = [(SoftmaxCrossEntropy, LABELS), (SquaredError, numbers((4, 5), 2))]
both = pytest.mark.parametrize("cls, t", BOTH)


@both
def test_mean_is_the_default_and_the_sum_over_the_number_of_examples(cls, t):
    outputs = numbers((4, 5), 1)
    assert cls().reduction == "mean"
    (mean, mean_delta), (total, total_delta) = evaluated(cls(), outputs, t), evaluated(cls("sum"), outputs, t)
    assert mean == pytest.approx(total / 5, rel=1e-14)
    np.testing.assert_allclose(mean_delta, total_delta / 5, rtol=1e-13, atol=1e-17)


@both
def test_sum_over_a_batch_is_the_sum_over_its_examples(cls, t):
    outputs, loss = numbers((4, 5), 1), cls("sum")
    J, delta = evaluated(loss, outputs, t)
    each = [evaluated(loss, outputs[:, n : n + 1], t[..., n : n + 1]) for n in range(5)]
    assert J == pytest.approx(sum(one for one, _ in each), rel=1e-14)
    np.testing.assert_allclose(delta, np.hstack([d for _, d in each]), rtol=1e-15)


@both
def test_losses_leave_their_arguments_alone_and_backward_repeats_itself(cls, t):
    loss, outputs = cls(), numbers((4, 5), 1)
    for array in (outputs, t):
        array.flags.writeable = False
    with untouched(outputs, t):
        _, first = evaluated(loss, outputs, t)
        copy = first.copy()
        first += 100  # the caller's own
        identical(loss.backward(), copy)


@both
def test_what_the_caller_keeps_survives_the_next_batch(cls, t):
    loss, outputs = cls(), numbers((4, 5), 1)
    _, delta = evaluated(loss, outputs, t)
    kept = [delta, *([loss.probabilities] if cls is SoftmaxCrossEntropy else [])]
    copies = [array.copy() for array in kept]
    evaluated(loss, numbers((4, 5), 3), t)
    for array, copy in zip(kept, copies):
        identical(array, copy)


def test_text_of_a_loss_names_its_reduction():
    assert repr(SoftmaxCrossEntropy()) == "SoftmaxCrossEntropy('mean')"
    assert repr(SquaredError("sum")) == "SquaredError('sum')"
