"""Autoencoder: a linear one against principal components in closed form, distortions against their formulas,
interpolation, what it lacks and refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import cases
from tests.support.variationals import perturbed, trained
from zoo import operations, random
from zoo.capabilities import Autoencoding, capabilities
from zoo.latent.parts import observations
from zoo.model import GenerativeModel

TINY = dict(shape=(3, 2, 1), levels=2, latent_size=2, network="dense", hidden=(5,))


def test_a_linear_one_has_the_error_of_principal_components():
    """The smallest squared error of a linear code of k numbers is the sum of the covariance's smallest eigenvalues
    (Eckart and Young)."""
    rng = np.random.default_rng(0)
    x = (
        0.5
        + 0.1
        * rng.normal(size=(200, 6))
        @ np.diag([3.0, 2.0, 1.5, 0.7, 0.5, 0.3])
        @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    )
    residual = np.linalg.eigvalsh(np.cov(x.T, bias=True))[:4].sum()
    keras.utils.set_random_seed(2)
    model = zoo.Autoencoder(**(TINY | dict(hidden=(), distortion="squared_error")))
    batch = tf.constant(x.reshape(-1, 3, 2, 1), tf.float32)
    losses = trained(model, batch, 1500)
    assert losses[0] > 2 * residual
    # The pure methods: a few of these numbers are beyond a pixel's range.
    found = np.mean(np.sum((model._decode(model._encode(batch)).numpy().reshape(-1, 6) - x) ** 2, 1))
    assert residual * (1 - 1e-4) < found < residual * 1.01
    np.testing.assert_allclose(losses[-1], found, rtol=1e-3)


def logits(model, x):
    return model.parameters(model.encode(x)).numpy().astype(np.float64)


@pytest.mark.parametrize("distortion, formula", [
    ("squared_error", lambda x, raw: np.sum((x - raw[..., 0]) ** 2, (1, 2, 3))),
    ("cross_entropy", lambda x, raw: -np.sum(x
                                             * -np.log1p(np.exp(-raw[..., 0])) + (1
                                                                                  - x) * -np.log1p(np.exp(raw[..., 0])),
                                             (1, 2, 3))),
    ("bernoulli", lambda x, raw: -np.sum(np.log(np.where(x > 0.5, 1 / (1 + np.exp(-raw[..., 0])),
                                                         1 / (1 + np.exp(raw[..., 0])))), (1, 2, 3))),
])
def test_distortions_are_their_formulas(distortion, formula):
    model = perturbed(zoo.Autoencoder, TINY | dict(distortion=distortion))
    x = cases.batch(model, 7)
    np.testing.assert_allclose(model.distortion(x), formula(x.numpy(), logits(model, x)), rtol=1e-4)
    np.testing.assert_array_equal(model.objective(x, random.seed(0))["reconstruction"], model.distortion(x))
    np.testing.assert_array_equal(model(x), model.distortion(x))


@pytest.mark.parametrize("distortion", observations.LIKELIHOODS)
@pytest.mark.parametrize("network", ["dense", "conv"])
def test_likelihoods_are_those_of_the_family(distortion, network):
    levels = 2 if distortion == "bernoulli" else 4
    model = perturbed(zoo.Autoencoder,
                      TINY | dict(shape=(5, 3, 1), levels=levels, distortion=distortion, network=network,
                                  hidden=(4, 3)), 0.1)
    likelihood = observations.make(distortion, levels)
    assert str(model.domain) == str(likelihood.domain((5, 3, 1)))
    x = cases.batch(model, 4)
    raw = model.parameters(model.encode(x))
    np.testing.assert_allclose(model.distortion(x), -likelihood.distribution(raw).log_prob(x), rtol=1e-5)
    np.testing.assert_allclose(operations.reconstruct(model, x), likelihood.mean(raw), atol=1e-6)


def test_the_code_is_a_bottleneck_of_numbers():
    model = perturbed(zoo.Autoencoder, TINY | dict(distortion="cross_entropy"))
    z = model.encode(cases.batch(model, 4))
    assert z.shape == (4, 2) and z.dtype == tf.float32
    bounded = perturbed(zoo.Autoencoder, TINY | dict(code_activation="sigmoid", distortion="cross_entropy"))
    np.testing.assert_allclose(bounded.encode(cases.batch(model, 4)), tf.sigmoid(z), atol=1e-6)
    assert np.min(z) < 0  # linear: any real number


@pytest.mark.parametrize("name", ["autoencoder", "denoising_autoencoder"])
def test_interpolation_goes_from_one_reconstruction_to_the_other(name):
    model = cases.make(name)
    x0, x1 = cases.batch(model, 3), cases.batch(model, 3, 1)
    path = operations.interpolate(model, x0, x1, 5, "linear")
    for at, x in ((0, x0), (4, x1)):
        np.testing.assert_allclose(path[:, at], operations.reconstruct(model, x), atol=1e-5)
    np.testing.assert_allclose(path[:, 2], model.decode(0.5 * (model.encode(x0) + model.encode(x1))), atol=1e-5)
    assert np.abs(path[:, 0] - path[:, 4]).max() > 1e-3


@pytest.mark.parametrize("name", ["autoencoder", "denoising_autoencoder"])
def test_it_is_not_generative(name):
    cls, model = zoo.MODELS[name], cases.make(name)
    for thing in (cls, model):
        assert not [attribute for attribute in dir(thing)
                    if attribute.startswith(("sample", "log_prob", "elbo", "prior"))]
        assert not {"sample", "sample_mean", "log_prob", "elbo", "complete"} & set(capabilities(thing))
    assert isinstance(model, Autoencoding) and not isinstance(model, GenerativeModel)


@pytest.mark.parametrize("cls", [zoo.Autoencoder, zoo.DenoisingAutoencoder])
@pytest.mark.parametrize("arguments, said", [
    (dict(latent_size=0), "latent_size must be at least 1, found 0"),
    (dict(shape=(4,)), "image"),
    (dict(network="mlp"), "'dense' or 'conv'"),
    (dict(network="conv", hidden=()), "hidden must have at least one entry"),
    (dict(distortion="squares"), "distortion must be auto or one of .*squared_error, found 'squares'"),
    (dict(distortion="bernoulli", levels=3), "levels must be 2"),
])
def test_bad_arguments(cls, arguments, said):
    with pytest.raises(ValueError, match=said):
        cls(**(TINY | arguments))


def test_a_code_as_large_as_the_example_is_no_bottleneck():
    with pytest.raises(ValueError, match="latent_size must be less than the 6 numbers of an example .* found 6"):
        zoo.Autoencoder(**(TINY | dict(latent_size=6)))
    assert zoo.DenoisingAutoencoder(**(TINY | dict(latent_size=9))).latent_size == 9
