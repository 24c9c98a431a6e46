"""Kernel density estimates against scikit-learn, brute force and quadrature."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.neighbors

from zoo import random
from zoo.density import kernel_density
from zoo.density.kernel_density import KERNELS, KernelDensity

RNG = np.random.default_rng(1)
PLANE = (RNG.normal(size=(60, 2)) * [1.0, 3.0]).astype(np.float32)
WIDE = RNG.uniform(size=(30, 20)).astype(np.float32)
QUERIES = (RNG.normal(size=(25, 2)) * [1.0, 3.0]).astype(np.float32)
SEED = random.seed(2)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("points, queries, h", [(PLANE, QUERIES, 1.5), (WIDE, WIDE[::-1] + 0.1, 1.3)],
                         ids=["few dimensions", "a matrix product"])
def test_log_prob_is_that_of_scikit_learn(kernel, points, queries, h, monkeypatch):
    monkeypatch.setattr(kernel_density, "BUDGET", 1)  # chunks of 64 points
    points = np.concatenate([points] * 3 + [points[:7]])
    model = KernelDensity.fitted(points, kernel=kernel, bandwidth=h)
    theirs = sklearn.neighbors.KernelDensity(bandwidth=h, kernel=kernel, rtol=1e-8).fit(points).score_samples(queries)
    ours, seen = model.log_prob(queries).numpy(), np.isfinite(theirs)
    assert seen.sum() > 10
    np.testing.assert_allclose(ours[seen], theirs[seen], rtol=1e-4, atol=1e-4)
    assert np.all(np.isneginf(ours[~seen]))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_density_integrates_to_one(kernel):
    model = KernelDensity.fitted(PLANE, kernel=kernel)
    x, y = np.linspace(-7, 7, 141, dtype=np.float32), np.linspace(-20, 20, 201, dtype=np.float32)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    np.testing.assert_allclose(np.exp(model.log_prob(grid)).sum() * (x[1] - x[0]) * (y[1] - y[0]), 1.0, atol=2e-3)
    line = KernelDensity.fitted(PLANE[:, :1], kernel=kernel, bandwidth="silverman")
    np.testing.assert_allclose(np.exp(line.log_prob(x[:, None])).sum() * (x[1] - x[0]), 1.0, atol=2e-3)


def test_rules():
    deviation = PLANE.std(0)
    scott = KernelDensity.fitted(PLANE).scale.numpy()
    np.testing.assert_allclose(scott, deviation * 60 ** (-1 / 6), rtol=1e-5)
    # the same in two dimensions
    np.testing.assert_allclose(KernelDensity.fitted(PLANE, bandwidth="silverman").scale, scott, rtol=1e-5)
    line = KernelDensity.fitted(PLANE[:, :1], bandwidth="silverman").scale.numpy()
    np.testing.assert_allclose(line, deviation[:1] * (4 / 3) ** 0.2 * 60 ** -0.2, rtol=1e-5)
    np.testing.assert_allclose(KernelDensity.fitted(PLANE, kernel="epanechnikov").scale, scott * np.sqrt(6), rtol=1e-5)
    np.testing.assert_allclose(KernelDensity.fitted(PLANE, bandwidth="0.3").scale, [0.3, 0.3], rtol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_leave_one_out_is_brute_force(kernel, monkeypatch):
    monkeypatch.setattr(kernel_density, "BUDGET", 60 * 2 * 7)  # blocks of 7 rows
    scott = KernelDensity.fitted(PLANE, kernel=kernel).scale.numpy().astype(float)
    u2 = ((PLANE[:, None].astype(float) - PLANE) / scott)[..., :] ** 2
    totals = []
    for factor in kernel_density._FACTORS:
        squares = u2.sum(-1) / factor**2
        with np.errstate(divide="ignore"):
            log_k = (
                -0.5 * squares - np.log(2 * np.pi)
                if kernel == "gaussian"
                else np.log(np.maximum(1 - squares, 0) * 2 / np.pi)
            )
        np.fill_diagonal(log_k, -np.inf)
        totals.append(np.mean(scipy.special.logsumexp(log_k, axis=1) - np.log(59) - np.log(scott * factor).sum()))
    model = KernelDensity.fitted(PLANE, kernel=kernel, bandwidth="leave_one_out")
    np.testing.assert_allclose(model.scale, scott * kernel_density._FACTORS[int(np.argmax(totals))], rtol=1e-5)
    np.testing.assert_allclose(model.update(PLANE)["leave_one_out"], np.max(totals), rtol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_samples_and_completions_have_the_density(kernel):
    """One marginal of what is sampled, and the conditional density of what is completed, integrated on a grid."""
    model, num = KernelDensity.fitted(PLANE, kernel=kernel), 4000
    y = np.linspace(-20, 20, 2001, dtype=np.float32)

    def cdf(density):
        steps = np.cumsum(density.astype(float))
        return lambda q: np.interp(q, y, steps / steps[-1])

    x0 = 0.4
    line = np.stack([np.full_like(y, x0), y], 1)
    joint = np.exp(model.log_prob(line))
    mask = np.array([[True, False]] * num)
    drawn = model.complete(np.array([[x0, 50.0]] * num, np.float32), mask, random.rows(SEED, num)).numpy()
    assert np.all(drawn[:, 0] == np.float32(x0)) and scipy.stats.kstest(drawn[:, 1], cdf(joint)).pvalue > 1e-3
    told = model.missing_log_prob(line[[900, 1000, 1100]], mask[:3], random.rows(SEED, 3))
    np.testing.assert_allclose(np.exp(told), joint[[900, 1000, 1100]] / (joint.sum() * (y[1] - y[0])), rtol=2e-3)
    x = model.sample(random.rows(SEED, num)).numpy()
    h = model.scale.numpy()[1]
    # of a disc's 2/pi (1 - r^2): 8/(3 pi) (1 - u^2)^(3/2)
    marginal = (scipy.stats.norm.pdf((y[:, None] - PLANE[:, 1]) / h) if kernel == "gaussian"
                else 8 / (3 * np.pi) * np.maximum(1 - ((y[:, None] - PLANE[:, 1]) / h) ** 2, 0) ** 1.5).mean(1)
    assert scipy.stats.kstest(x[:, 1], cdf(marginal)).pvalue > 1e-3


def test_many_dimensions_complete_as_few_do(monkeypatch):
    """The matrix product with a mask, in small chunks, against sums as they are defined."""
    x, mask = WIDE[:6] + 0.05, RNG.uniform(size=(6, 20)) < 0.5
    seeds, found = random.rows(SEED, 6), []
    for small, budget in ((100, 1 << 22), (1, 1)):
        monkeypatch.setattr(kernel_density, "_SMALL", small)
        monkeypatch.setattr(kernel_density, "BUDGET", budget)
        for kernel in KERNELS:
            model = KernelDensity.fitted(np.concatenate([WIDE] * 4), kernel=kernel)
            found.append((model.missing_log_prob(x, mask, seeds).numpy(), model.complete(x, mask, seeds).numpy()))
    for (told, drawn), (told_again, drawn_again) in zip(found[:2], found[2:]):
        np.testing.assert_allclose(told, told_again, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(drawn, drawn_again, atol=1e-3)


def test_images_are_clipped_and_nothing_known_is_a_sample():
    model = KernelDensity(shape=(2, 2, 1), levels=3, num_points=4, bandwidth=2.0)
    x = model.sample(random.rows(SEED, 30)).numpy()
    assert x.min() == 0.0 and x.max() == 1.0 and model.domain.dequantized
    far = KernelDensity.fitted(PLANE, kernel="epanechnikov")
    lost, mask = np.array([[500.0, 0.0]], np.float32), np.array([[True, False]])
    assert np.isneginf(far.missing_log_prob(lost, mask, random.rows(SEED, 1))) and np.all(
        np.isfinite(far.complete(lost, mask, random.rows(SEED, 1)))
    )


@pytest.mark.parametrize("arguments, said", [
    (dict(bandwidth=0.0), "more than 0"), (dict(bandwidth=-1), "more than 0"),
    (dict(bandwidth="scot"), "scott, silverman, leave_one_out"),
    (dict(bandwidth=float("nan")), "bandwidth"), (dict(kernel="box"), "gaussian, epanechnikov"),
    (dict(num_points=0), "at least 1")])
def test_wrong_arguments(arguments, said):
    with pytest.raises(ValueError, match=said):
        KernelDensity(shape=(2,), **arguments)


def test_another_number_of_points_is_refused():
    with pytest.raises(ValueError, match="holds 5 points, found 60"):
        KernelDensity(shape=(2,), num_points=5).fit(PLANE)
