"""A reverse process in fewer steps, a number of its own for each row: against the chain's exact moments, the full
process, and rows drawn alone.
"""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import cases
from tests.support.diffusions import exact_denoiser, gains, perturbed
from zoo import random
from zoo.diffusion.ddpm import DDPM
from zoo.diffusion.parts import samplers
from zoo.diffusion.parts.schedules import cosine, linear


def seeds(num, value=0):
    return random.rows(random.seed(value), num)


@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
@pytest.mark.parametrize("num", [1, 7, 20])
def test_its_moments_are_those_of_the_chain(variance, num):
    """q(x_s|x_t, x_0) over the grid round(k T / S), by recursion in float64, for Gaussian data and their exact
    denoiser.
    """
    mean, scale, size, schedule = 0.7, 0.5, (10, 600), cosine(50)
    g, ab = gains(schedule, scale), schedule.alpha_bar
    grid = [int(np.floor(k * 50 / num + 0.5)) for k in range(num, -1, -1)]
    m, v = 0.0, 1.0
    for t, s in zip(grid, grid[1:]):
        beta = 1 - ab[t] / ab[s]
        of_x_0, of_x_t = np.sqrt(ab[s]) * beta / (1 - ab[t]), np.sqrt(ab[t] / ab[s]) * (1 - ab[s]) / (1 - ab[t])
        slope = of_x_0 * g[t] + of_x_t
        m = slope * m + of_x_0 * mean * (1 - g[t] * np.sqrt(ab[t]))
        v = slope**2 * v + (s > 0) * beta * ((1 - ab[s]) / (1 - ab[t]) if variance == "beta_tilde" else 1)
    denoise, steps = exact_denoiser(schedule, mean, scale), tf.fill([size[0]], num)
    draw = tf.function(lambda s: samplers.respaced(denoise, schedule, s, size[1:], steps, variance))
    x = draw(seeds(size[0])).numpy()
    error = v**0.5 * x.size**-0.5
    np.testing.assert_allclose(x.mean(), m, atol=4 * error + 1e-6)
    np.testing.assert_allclose(x.std(), v**0.5, atol=4 * error + 1e-6)


@pytest.mark.parametrize("make_schedule", [linear, cosine])
@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
def test_all_steps_are_the_full_process(make_schedule, variance):
    schedule = make_schedule(30)
    denoise, s = exact_denoiser(schedule, 0.3, 0.8), seeds(5)
    full = samplers.ancestral(denoise, schedule, s, [4], variance)
    found = samplers.respaced(denoise, schedule, s, [4], tf.fill([5], 30), variance)
    np.testing.assert_allclose(found, full, atol=2e-4)


def test_each_row_has_its_own_number_of_steps():
    model = perturbed(DDPM((3,), None, 8, "cosine", "beta", "dense", channels=4))
    s, num = seeds(6), [8, 1, 3, 5, 8, 2]
    together = model.sample(s, steps=num).numpy()
    for row, steps in enumerate(num):
        np.testing.assert_allclose(model.sample(s[row:row + 1], steps=steps), together[row:row + 1], rtol=1e-4)
    np.testing.assert_allclose(together[[0, 4]], model.sample(s).numpy()[[0, 4]], rtol=1e-3)
    assert np.all(np.abs(together[1:4] - model.sample(s).numpy()[1:4]).max(1) > 1e-3)  # fewer steps are another sample


def test_the_number_of_steps_is_checked():
    model = cases.shared("ddpm")
    wrongs = (0, "steps must be 1 to 8, found 0"), (9, "steps must be 1 to 8, found 9"), (2.5, "whole number")
    for wrong, said in wrongs:
        with pytest.raises(ValueError, match=said):
            model.sample(2, steps=wrong)
