"""The histogram against NumPy's: bins, densities, completion, and what is outside of the grid."""

import numpy as np
import pytest
import scipy.stats

from zoo import random
from zoo.density.histogram import Histogram

RNG = np.random.default_rng(1)
LINE = RNG.gamma(2.0, size=(300, 1)).astype(np.float32)
PLANE = (RNG.normal(size=(200, 2)) * [1.0, 3.0]).astype(np.float32)
SEED = random.seed(2)


def test_the_rule_and_the_edges_are_numpys():
    model = Histogram.fitted(LINE)
    expected = np.histogram_bin_edges(LINE[:, 0].astype(np.float64), bins="fd")
    assert model.bins == (len(expected) - 1,)
    np.testing.assert_allclose(model.grid[0], expected, rtol=1e-5)
    assert Histogram.sized({}, np.repeat([[1.0], [2.0]], [1, 50], 0))["bins"] == (1,)  # no spread between the quartiles


def test_the_density_is_numpys_in_one_and_two_dimensions():
    density, edges = np.histogram(LINE[:, 0], bins=7, density=True)
    model = Histogram.fitted(LINE, bins=(7,))
    np.testing.assert_allclose(np.exp(model.log_prob((edges[:-1] + np.diff(edges) / 2)[:, None])), density, rtol=1e-4)
    density, edges = np.histogramdd(PLANE.astype(np.float64), bins=(4, 5), density=True)
    model = Histogram.fitted(PLANE, bins=(4, 5))
    centres = np.stack(np.meshgrid(*((e[1:] + e[:-1]) / 2 for e in edges), indexing="ij"), -1).reshape(-1, 2)
    np.testing.assert_allclose(np.exp(model.log_prob(centres)), density.ravel(), rtol=1e-4)


@pytest.mark.parametrize("arguments",
                         [dict(), dict(bins=(3, 4), margin=0.3, smoothing=0.5),
                          dict(edges=((-2.0, 0.0, 0.5, 2.0), (-5.0, 1.0, 5.0)))])
def test_the_density_integrates_to_one_and_is_0_outside(arguments):
    model = Histogram.fitted(PLANE, **arguments)
    volume, density = 1.0, []
    for d, edges in enumerate(model.grid):
        density.append((edges.numpy()[1:] + edges.numpy()[:-1]) / 2)
    centres = np.stack(np.meshgrid(*density, indexing="ij"), -1).reshape(-1, 2)
    volume = np.outer(*(np.diff(edges.numpy()) for edges in model.grid)).ravel()
    np.testing.assert_allclose((np.exp(model.log_prob(centres)) * volume).sum(), 1.0, rtol=1e-5)
    low, high = (np.array([edges.numpy()[i] for edges in model.grid]) for i in (0, -1))
    outside = np.array([low - [0.01, 0.0], high + [0.0, 0.01]])
    assert np.all(np.isneginf(model.log_prob(outside.astype(np.float32))))
    assert not np.any(np.isnan(model.log_prob(np.array([low, high]))))  # both ends belong to the grid
    if "margin" in arguments:
        np.testing.assert_allclose(low, PLANE.min(0) - 0.3 * np.ptp(PLANE, axis=0), rtol=1e-4)
        assert np.all(np.isfinite(model.log_prob(centres)))


def test_samples_have_the_density():
    model = Histogram.fitted(PLANE, bins=(3, 4))
    x = model.sample(random.rows(SEED, 4000)).numpy()
    counts, *_ = np.histogramdd(x.astype(np.float64), bins=[e.numpy() for e in model.grid])
    assert counts.sum() == 4000
    mass = model.mass.numpy().astype(float)
    seen = mass > 0
    assert (
        scipy.stats.chisquare(counts.ravel()[seen], 4000 * mass[seen] / mass.sum()).pvalue > 1e-3
        and not counts.ravel()[~seen].any()
    )
    edges = model.grid[1].numpy().astype(float)
    box = np.searchsorted(edges, x[:, 1], side="right").clip(1, 4) - 1
    assert scipy.stats.kstest((x[:, 1] - edges[box]) / np.diff(edges)[box], "uniform").pvalue > 1e-3


def test_completion_is_the_conditional():
    model = Histogram.fitted(PLANE, bins=(3, 4), smoothing=1.0)
    x = np.repeat(PLANE[:1], 3000, 0)
    mask = np.array([[True, False]] * 3000)
    drawn = model.complete(x, mask, random.rows(SEED, 3000)).numpy()
    column = np.searchsorted(model.grid[0].numpy(), x[0, 0], side="right") - 1
    conditional = model.mass.numpy().reshape(3, 4)[column].astype(float)
    conditional /= conditional.sum()
    np.testing.assert_array_equal(drawn[:, 0], x[:, 0])
    counts, _ = np.histogram(drawn[:, 1].astype(float), bins=model.grid[1].numpy())
    assert scipy.stats.chisquare(counts, 3000 * conditional).pvalue > 1e-3
    row = np.searchsorted(model.grid[1].numpy(), x[0, 1], side="right") - 1
    expected = np.log(conditional[row] / np.diff(model.grid[1].numpy())[row])
    np.testing.assert_allclose(model.missing_log_prob(x[:1], mask[:1], random.rows(SEED, 1)), expected, rtol=1e-4)
    far = np.array([[99.0, 0.0]], np.float32)
    assert np.isneginf(model.missing_log_prob(far, mask[:1], random.rows(SEED, 1))) and np.all(
        np.isfinite(model.complete(far, mask[:1], random.rows(SEED, 1)))
    )


def test_a_fit_is_told_once():
    model = Histogram(shape=(1,), bins=(5,))
    told = model.fit(LINE)["log_likelihood"]
    np.testing.assert_allclose(told, [np.mean(model.log_prob(LINE))], rtol=1e-5)


@pytest.mark.parametrize("arguments, said", [
    (dict(bins=(3,)), "each of the 2 dimensions"), (dict(bins=(0, 3)), "at least one bin"),
    (dict(bins=(5000, 5000)), "at most"),
    (dict(edges=((0.0, 1.0), (1.0, 1.0))), "increasing"),
    (dict(edges=((0.0, 1.0), (0.0, 1.0)), margin=0.1), "left out"), (dict(smoothing=-1.0), "0 or more")])
def test_wrong_arguments(arguments, said):
    with pytest.raises(ValueError, match=said):
        Histogram(shape=(2,), **arguments)


def test_edges_without_any_point():
    with pytest.raises(ValueError, match="no point"):
        Histogram.fitted(PLANE, edges=((90.0, 91.0), (90.0, 91.0)))
