"""Parzen-window log-likelihoods against scikit-learn and a closed form."""

import numpy as np
import pytest
import sklearn.neighbors

from zoo.metrics import parzen

RNG = np.random.default_rng(0)


def test_it_is_a_kernel_density_whose_width_the_validation_set_chose():
    samples, validation, test = (RNG.normal(size=(num, 3, 1)) + 1000.0 for num in (200, 50, 80))
    sigmas = (0.05, 0.3, 0.6, 5.0)
    scores = [sklearn.neighbors.KernelDensity(bandwidth=s).fit(samples[..., 0]) for s in sigmas]
    best = int(np.argmax([kde.score(validation[..., 0]) for kde in scores]))
    found = parzen.parzen_log_likelihood(samples, validation, test, sigmas, chunk=30)
    each = scores[best].score_samples(test[..., 0])
    assert found.sigma == sigmas[best] and 0 < best < 3
    np.testing.assert_allclose(found.log_likelihood.value, each.mean(), rtol=1e-6)
    np.testing.assert_allclose(found.log_likelihood.stderr, each.std(ddof=1) / np.sqrt(80), rtol=1e-6)


def test_far_examples_have_a_finite_log_density():
    found = parzen.log_densities(np.zeros([1, 2]), np.array([[300.0, 400.0]]), (1.0,))
    np.testing.assert_allclose(found, [[-125000.0 - np.log(2 * np.pi)]])


@pytest.mark.parametrize("arguments, said", [((np.zeros([0, 2]), np.zeros([1, 2]), np.zeros([1, 2])), "samples"),
                                             ((np.zeros([3, 2]), np.zeros([1, 3]), np.zeros([1, 2])), "validation"),
                                             ((np.zeros([3, 2]), np.zeros([1, 2]), np.zeros([1, 2]), (0.0,)),
                                              "sigmas")])
def test_wrong_arguments(arguments, said):
    with pytest.raises(ValueError, match=said):
        parzen.parzen_log_likelihood(*arguments)
