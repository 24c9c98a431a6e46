"""Row LSTM: the paper's formula by loops, the triangle that a pixel sees, and a sampler that equals the naive one."""

import numpy as np
import pytest

from tests.support import cases, pixel_rnns
from tests.support.pixel_rnns import EVERY, KINDS, WRONG, at, cell, seen, weight
from zoo.autoregressive.row_lstm import RowLSTM


def make(**arguments):
    return pixel_rnns.make(RowLSTM, **arguments)


def layer_by_loops(layer, u, colours):
    h, c = np.zeros([2, *u.shape[:2], layer.units])
    along, bias = weight(layer.input_to_state.kernel)[0], weight(layer.input_to_state.bias)
    own = along[1] * np.tile(seen(u.shape[-1], layer.units, colours), 4)
    above = weight(layer.state_to_state).reshape(3, layer.units, -1)
    for i, j in np.ndindex(u.shape[:2]):
        gates = (
            bias
            + at(u, i, j - 1) @ along[0]
            + u[i, j] @ own
            + sum(at(h, i - 1, j + b - 1) @ above[b] for b in range(3))
        )
        h[i, j], c[i, j] = cell(gates, at(c, i - 1, j))
    return h


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_the_formula(kind):
    model = make(**KINDS[kind])
    x = pixel_rnns.images(model, 2)
    for image, logits in zip(x.numpy(), model.parameters(x).numpy()):
        np.testing.assert_allclose(logits.ravel(), pixel_rnns.by_loops(model, image, layer_by_loops).ravel(), atol=2e-4)


@pytest.mark.parametrize("arguments", EVERY)
def test_probabilities_of_all_images_sum_to_one(arguments):
    np.testing.assert_allclose(pixel_rnns.total_probability(make(**arguments)), 1.0, atol=1e-4)


@pytest.mark.parametrize("shape", [(4, 7, 1), (3, 3, 3)])
def test_a_pixel_sees_the_triangle_above_and_the_colours_before(shape):
    up, right, _ = pixel_rnns.displacement(*shape[:2])
    # Of a 3x3 first convolution and two layers: in each row above one column more to the right; to the left three at
    # once.
    expected = (right <= up) & ((up > 0) | (up == 0) & (right < 0)) & (right >= -3 - up)
    found = pixel_rnns.dependence(make(shape=shape, channels=48, head_channels=36))
    np.testing.assert_array_equal(found, pixel_rnns.with_colours(expected, shape[-1]))


@pytest.mark.parametrize("kind", cases.slow_but(KINDS, "binary", "rgb_categorical"))
def test_cached_sampler_and_completion_equal_the_naive_sampler(kind):
    pixel_rnns.sampler_equals_naive(make(**KINDS[kind]))


def test_samples_occur_as_often_as_log_prob_says():
    observed, p = pixel_rnns.frequencies(make(shape=(2, 2, 1)))
    assert np.all(np.abs(observed - p) < 4.5 * np.sqrt(p * (1 - p) / 4096)) and p.max() < 0.8


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments_raise(wrong):
    with pytest.raises(ValueError):
        make(**dict(shape=(3, 3, 1)) | wrong)
