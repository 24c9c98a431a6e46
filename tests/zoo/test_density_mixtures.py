"""Mixtures: EM against NumPy's plain formulas, densities against scikit-learn and enumeration, conditionals against
closed forms and enumeration."""

import itertools

import numpy as np
import pytest
import scipy.stats
import sklearn.mixture
import tensorflow as tf

from zoo import random
from zoo.density.bernoulli_mixture import BernoulliMixture
from zoo.density.gaussian_mixture import COVARIANCES, GaussianMixture
from zoo.density.parts import fitted, k_means

RNG = np.random.default_rng(0)
POINTS = np.concatenate([RNG.normal(size=(40, 2)) @ [[0.3, 0.2], [0.0, 0.4]] + centre
                         for centre in ([0, 0], [3, 1], [0, 4])]).astype(np.float32)
BITS = (RNG.uniform(size=(60, 2, 2, 1)) < np.repeat([0.2, 0.8], 30)[:, None, None, None]).astype(np.float32)
SEED = random.seed(3)


def gaussian(covariance, **arguments):
    model = GaussianMixture(shape=(2,), components=3, covariance=covariance, regularization=1e-3, **arguments)
    model.start(POINTS, SEED)
    return model


def covariances(model):
    scale = model.scale.numpy()
    if model.covariance == "full":
        return scale @ scale.transpose(0, 2, 1)
    return np.stack([np.diag(np.broadcast_to(s, model.size) ** 2) for s in scale])


def all_bits(size=4):
    return np.array(list(itertools.product([0, 1], repeat=size)), np.float32)


def normals(model, x):
    """log N(x; mu_k, Sigma_k), [N, K]."""
    return np.stack([scipy.stats.multivariate_normal(mu, sigma).logpdf(x) for mu,
                     sigma in zip(model.loc.numpy(), covariances(model))], 1)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_log_prob_is_that_of_scikit_learn_and_of_tfp(covariance):
    model = gaussian(covariance)
    theirs = sklearn.mixture.GaussianMixture(3, covariance_type="full")
    theirs.weights_, theirs.means_, theirs.covariances_ = model.weight.numpy(), model.loc.numpy(), covariances(model)
    theirs.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(theirs.covariances_))
    np.testing.assert_allclose(model.log_prob(POINTS), theirs.score_samples(POINTS), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.distribution().log_prob(POINTS), model.log_prob(POINTS), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_an_iteration_is_expectation_maximisation(covariance, monkeypatch):
    model = gaussian(covariance)
    joint = np.log(model.weight.numpy()) + normals(model, POINTS)
    r = np.exp(joint - scipy.special.logsumexp(joint, axis=1, keepdims=True))
    num = r.sum(0)
    loc = r.T @ POINTS / num[:, None]
    d = POINTS[:, None] - loc
    sigma = np.einsum("nk,nkd,nke->kde", r, d, d) / num[:, None, None]
    if covariance != "full":
        diagonal = np.stack([np.diag(s) for s in sigma])
        diagonal = diagonal if covariance == "diagonal" else diagonal.mean(1, keepdims=True) * np.ones(2)
        sigma = np.stack([np.diag(s) for s in diagonal])
    # chunks of 7 rows, the last one smaller
    monkeypatch.setattr("zoo.density.parts.mixture.BUDGET", 7 * model.row_cost)
    told = model.update(POINTS)
    np.testing.assert_allclose(told["log_likelihood"], scipy.special.logsumexp(joint, axis=1).mean(), rtol=1e-5)
    np.testing.assert_allclose(model.weight, num / len(POINTS), rtol=1e-5)
    np.testing.assert_allclose(model.loc, loc, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(covariances(model), sigma + 1e-3 * np.eye(2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_the_likelihood_never_falls(covariance):
    model = GaussianMixture(shape=(2,), components=5, covariance=covariance, regularization=1e-6)
    told = model.fit(POINTS, seed=1, steps=15)["log_likelihood"]
    assert np.all(np.diff(told) > -1e-5) and told[-1] > told[0] + 1e-3


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_the_density_integrates_to_one(covariance):
    model = gaussian(covariance)
    grid = np.linspace(-4, 8, 241, dtype=np.float32)
    x = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    np.testing.assert_allclose(np.exp(model.log_prob(x)).sum() * (grid[1] - grid[0]) ** 2, 1.0, atol=1e-3)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_gaussian_completion_is_the_conditional_mixture(covariance):
    """p(x_1 | x_0) = sum_k p(k | x_0) N(m_k, s_k^2) with the textbook's m_k and s_k."""
    model = gaussian(covariance)
    x0, num = 1.3, 4000
    sigma, loc = covariances(model), model.loc.numpy()
    weights = model.weight.numpy() * scipy.stats.norm(loc[:, 0], np.sqrt(sigma[:, 0, 0])).pdf(x0)
    means = loc[:, 1] + sigma[:, 1, 0] / sigma[:, 0, 0] * (x0 - loc[:, 0])
    deviations = np.sqrt(sigma[:, 1, 1] - sigma[:, 1, 0] ** 2 / sigma[:, 0, 0])
    weights /= weights.sum()

    def cdf(y):
        return (weights * scipy.stats.norm(means, deviations).cdf(np.asarray(y)[:, None])).sum(1)

    x = np.array([[x0, 77.0]] * num, np.float32)
    mask = np.array([[True, False]] * num)
    drawn = model.complete(x, mask, random.rows(SEED, num)).numpy()
    assert np.all(drawn[:, 0] == np.float32(x0)) and scipy.stats.kstest(drawn[:, 1], cdf).pvalue > 1e-3
    x = np.array([[x0, y] for y in (0.2, 3.0)], np.float32)
    expected = np.log((weights * scipy.stats.norm(means, deviations).pdf(x[:, 1:])).sum(1))
    np.testing.assert_allclose(model.missing_log_prob(x, mask[:2], random.rows(SEED, 2)), expected, rtol=1e-3,
                               atol=1e-4)


def test_all_or_nothing_known():
    for model, x in ((gaussian("full"), POINTS[:3]), (bernoulli(), BITS[:3])):
        seeds, places = random.rows(SEED, 3), (3, *model.domain.places)
        np.testing.assert_allclose(model.missing_log_prob(x, np.zeros(places, bool), seeds), model.log_prob(x),
                                   rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(model.missing_log_prob(x, np.ones(places, bool), seeds), 0.0, atol=1e-5)
        np.testing.assert_array_equal(model.complete(x, np.ones(places, bool), seeds), x)


def test_samples_of_gaussians_have_their_moments():
    model = gaussian("full")
    x = model.sample(random.rows(SEED, 4000)).numpy()
    loc, weight = model.loc.numpy(), model.weight.numpy()
    mean = weight @ loc
    second = np.einsum("k,kde->de", weight, covariances(model) + loc[:, :, None] * loc[:, None])
    np.testing.assert_allclose(x.mean(0), mean, atol=0.15)
    np.testing.assert_allclose(np.cov(x.T), second - np.outer(mean, mean), atol=0.25)


def bernoulli(smoothing=0.5):
    model = BernoulliMixture(shape=(2, 2, 1), components=3, smoothing=smoothing)
    model.start(BITS, SEED)
    return model


def test_bernoulli_probabilities_sum_to_one_and_are_tfps():
    model, x = bernoulli(), all_bits()
    p = np.exp(model.log_prob(x.reshape(-1, 2, 2, 1)).numpy().astype(float))
    np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-5)
    np.testing.assert_allclose(np.exp(model.distribution().log_prob(x)), p, rtol=1e-4)
    drawn = model.sample(random.rows(SEED, 4000)).numpy().reshape(-1, 4) @ [8, 4, 2, 1]
    assert scipy.stats.chisquare(np.bincount(drawn.astype(int), minlength=16), 4000 * p / p.sum()).pvalue > 1e-3


def test_a_bernoulli_iteration_is_expectation_maximisation(monkeypatch):
    model = bernoulli(smoothing=0.7)
    x, mu = BITS.reshape(-1, 4), 1 / (1 + np.exp(-model.logits.numpy().astype(float)))
    joint = np.log(model.weight.numpy()) + x @ np.log(mu).T + (1 - x) @ np.log(1 - mu).T
    r = np.exp(joint - scipy.special.logsumexp(joint, axis=1, keepdims=True))
    m = (x.sum(0) + 1) / (len(x) + 2)
    monkeypatch.setattr("zoo.density.parts.mixture.BUDGET", 7 * model.row_cost)
    told = model.update(BITS)
    np.testing.assert_allclose(told["log_likelihood"], scipy.special.logsumexp(joint, axis=1).mean(), rtol=1e-5)
    np.testing.assert_allclose(tf.sigmoid(model.logits), (r.T @ x + 0.7 * m) / (r.sum(0)[:, None] + 0.7), rtol=1e-4)
    np.testing.assert_allclose(model.weight, r.mean(0), rtol=1e-4)


def test_the_posterior_never_falls():
    model = bernoulli(smoothing=2.0)
    m, values = (BITS.reshape(-1, 4).sum(0) + 1) / (len(BITS) + 2), []
    for _ in range(10):
        logits = model.logits.numpy().astype(float)
        prior = 2.0 * np.sum(m * -np.logaddexp(0, -logits) + (1 - m) * -np.logaddexp(0, logits))
        values.append(float(model.update(BITS)["log_likelihood"]) * len(BITS) + prior)
    assert np.all(np.diff(values) > -1e-3) and values[-1] > values[0]


def test_bernoulli_completion_is_enumeration():
    model, known = bernoulli(), np.array([True, False, False, True])
    x = all_bits()
    p = np.exp(model.log_prob(x.reshape(-1, 2, 2, 1)).numpy().astype(float))
    same = np.all(x[:, known] == [1, 0], axis=1)
    conditional = p[same] / p[same].sum()
    num = 4000
    given = np.repeat(np.array([[1, 0, 1, 0]], np.float32), num, 0).reshape(-1, 2, 2, 1)
    mask = np.broadcast_to(known.reshape(2, 2), (num, 2, 2))
    drawn = model.complete(given, mask, random.rows(SEED, num)).numpy().reshape(-1, 4)
    assert np.all(drawn[:, known] == [1, 0])
    counts = np.bincount((drawn[:, ~known] @ [2, 1]).astype(int), minlength=4)
    assert scipy.stats.chisquare(counts, num * conditional).pvalue > 1e-3
    told = model.missing_log_prob(x[same].reshape(-1, 2, 2, 1), mask[:4], random.rows(SEED, 4))
    np.testing.assert_allclose(np.exp(told), conditional, rtol=1e-4)


def test_the_mean_shown_belongs_to_the_sample():
    model, seeds = bernoulli(), random.rows(SEED, 6)
    mean = model.sample_mean(seeds).numpy().reshape(6, 4)
    mu = tf.sigmoid(model.logits).numpy()
    k = [int(np.abs(mu - row).sum(1).argmin()) for row in mean]
    np.testing.assert_allclose(mu[k], mean, rtol=1e-5)
    np.testing.assert_array_equal(k, model.component(seeds, None, None))
    model.logits.assign(100.0 * tf.sign(model.logits))  # then a draw is its mean
    np.testing.assert_allclose(model.sample(seeds), model.sample_mean(seeds), atol=1e-6)


def test_k_means_plus_plus_finds_clusters_and_draws_by_squared_distance():
    far = np.repeat(np.array([[0, 0], [1000, 0], [0, 1000], [1000, 1000]], np.float32), 20, 0) + RNG.normal(
        size=(80, 2)
    ).astype(np.float32)
    for seed in range(5):
        found = k_means.choose(far, 4, random.seed(seed)).numpy()
        assert sorted(np.round(found / 1000).astype(int).tolist()) == [[0, 0], [0, 1], [1, 0], [1, 1]]
        np.testing.assert_array_equal(k_means.choose(far, 4, random.seed(seed)), found)
    line = np.array([[0.0], [1.0], [3.0]], np.float32)
    pairs = [tuple(k_means.choose(line, 2, random.seed(seed)).numpy().ravel()) for seed in range(600)]
    second = np.array([pair[1] == 3.0 for pair in pairs if pair[0] == 0.0])
    assert abs(second.mean() - 0.9) < 4 * np.sqrt(0.09 / len(second)) and all(a != b for a, b in pairs)
    np.testing.assert_array_equal(k_means.choose(np.zeros([3, 2], np.float32), 3, random.seed(0)), np.zeros([3, 2]))


def test_fit_says_each_iteration_and_repeats_itself():
    fits = [GaussianMixture.fitted(POINTS, seed=4, steps=6, components=2) for _ in range(2)]
    for a, b in zip(*(model.get_weights() for model in fits)):
        np.testing.assert_array_equal(a, b)
    history = fits[0].fit(POINTS, seed=4, steps=3)
    assert list(history) == ["log_likelihood"] and len(history["log_likelihood"]) == 3
    (player,) = fits[0].players()
    assert player.weights == () and not fits[0].trainable_weights
    np.testing.assert_allclose(player.loss(POINTS, SEED)["nll"], -fits[0].log_prob(POINTS))


def test_chunks_change_nothing():
    x = tf.constant(POINTS)
    for rows in (1, 7, 120, 1000):
        np.testing.assert_array_equal(fitted.in_chunks(lambda x: 2.0 * x, (x,), rows, (2,)), 2.0 * x)


@pytest.mark.parametrize("make, said", [
    (lambda: GaussianMixture(components=0), "components"),
    (lambda: GaussianMixture(covariance="tied"), "full, diagonal, spherical"),
    (lambda: GaussianMixture(regularization=0.0), "regularization"), (lambda: GaussianMixture(shape=()), "shape"),
    (lambda: GaussianMixture(levels=1), "levels"),
    (lambda: BernoulliMixture(smoothing=0.0), "smoothing"),
    (lambda: bernoulli().log_prob(np.zeros([2, 4])), "x must be"),
    (lambda: bernoulli().complete(BITS[:1], [[True, False]], random.rows(SEED, 1)), "mask must be"),
    (lambda: GaussianMixture.fitted(POINTS[:3], components=4), "4 components need as many examples")])
def test_wrong_arguments(make, said):
    with pytest.raises(ValueError, match=said):
        make()
