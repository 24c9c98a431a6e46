"""Denoising autoencoder: what each corruption does to how many entries, seeds of rows, and a loss that compares with
the clean example."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import cases
from tests.support.variationals import perturbed, trained
from zoo import operations, random
from zoo.capabilities import Denoising, capabilities
from zoo.latent.parts import corruptions

TINY = dict(shape=(4, 5, 1), levels=2, latent_size=30, network="dense", hidden=())
SHAPE = (4, 5, 1)


def seeds(num, seed=0):
    return random.rows(random.seed(seed), num)


def noisy(name, level, x, seed=0):
    process = corruptions.make(name, level)
    return process.apply(x, process.noise_rows(seeds(len(x), seed), x.shape[1:]), level).numpy()


@pytest.mark.parametrize("level, num", [(0.0, 0), (0.25, 5), (0.33, 7), (0.99, 20), (1.0, 20)])
def test_masking_hides_as_many_entries_of_every_example(level, num):
    found = noisy("masking", level, tf.fill([4000, *SHAPE], 0.7))
    hidden = found == 0
    np.testing.assert_array_equal(hidden.sum((1, 2, 3)), num)
    np.testing.assert_array_equal(found[~hidden], np.float32(0.7))
    # every entry as often as another
    np.testing.assert_allclose(hidden.mean(0), num / 20, atol=4 * np.sqrt(0.25 / 4000))


def test_salt_and_pepper_is_a_coin_for_as_many_entries():
    found = noisy("salt_and_pepper", 0.4, tf.fill([4000, *SHAPE], 0.7))
    salt, pepper = found == 1, found == 0
    np.testing.assert_array_equal((salt | pepper).sum((1, 2, 3)), 8)
    np.testing.assert_allclose(salt.mean(0), 0.2, atol=4 * np.sqrt(0.16 / 4000))
    assert abs(salt.sum() / (salt | pepper).sum() - 0.5) < 4 * 0.5 / np.sqrt(8 * 4000)
    np.testing.assert_array_equal(found[~(salt | pepper)], np.float32(0.7))
    assert 0.9 < salt.sum((1, 2, 3)).var() / (8 * 0.25) < 1.1  # a coin for each entry, not one for the example


def test_gaussian_noise_has_the_level_as_its_standard_deviation():
    x = tf.random.stateless_uniform([4000, *SHAPE], [1, 2])
    eps = (noisy("gaussian", 0.3, x) - x.numpy()).reshape(4000, 20) / 0.3
    np.testing.assert_allclose(eps.mean(0), 0, atol=5 / np.sqrt(4000))
    np.testing.assert_allclose(np.cov(eps.T), np.eye(20), atol=6 * np.sqrt(2 / 4000))
    np.testing.assert_allclose(np.mean(eps**4), 3, atol=0.1)


@pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
def test_a_row_s_noise_comes_from_its_own_seed(name):
    model = perturbed(zoo.DenoisingAutoencoder, TINY | dict(corruption=name, distortion="squared_error"))
    x, its = cases.batch(model, 5), seeds(5, 3)
    together = model.corrupt(x, its).numpy()
    for index in ([4, 2], [1], [3, 0, 1]):
        np.testing.assert_allclose(model.corrupt(tf.gather(x, index), tf.gather(its, index)), together[index], rtol=0,
                                   atol=1e-6)
    same = model.corrupt(tf.repeat(x[:1], 5, axis=0), its).numpy()
    assert len({row.tobytes() for row in same}) == 5
    assert np.any(model.corrupt(x, seeds(5, 4)).numpy() != together)


@pytest.mark.parametrize("distortion, levels", [("squared_error", 2), ("bernoulli", 2), ("categorical", 5)])
@pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
def test_the_noisy_example_is_in_the_domain_s_unit(name, distortion, levels):
    """Levels 0..K-1 are pixels k / (K - 1) on [0, 1], to which the noise is done."""
    model = perturbed(zoo.DenoisingAutoencoder,
                      TINY | dict(corruption=name, level=0.3, distortion=distortion, levels=levels))
    x, its = cases.batch(model, 6), seeds(6)
    found, top = model.corrupt(x, its), levels - 1
    assert found.dtype == tf.float32 and found.shape == x.shape
    process = corruptions.make(name, 0.3)
    unit = process.apply(tf.cast(x, tf.float32) / top, process.noise_rows(its, SHAPE), 0.3)
    np.testing.assert_allclose(found, top * unit, atol=1e-5)
    np.testing.assert_allclose(model.denoise(found), model.decode(model.encode(found)), atol=1e-6)
    pair = operations.denoise(model, x, its)
    np.testing.assert_array_equal(pair[0], found)
    np.testing.assert_allclose(pair[1], model.denoise(found), atol=1e-6)
    np.testing.assert_allclose(operations.denoise(model, x, its, level=0.0)[0], tf.cast(x, tf.float32), atol=1e-6)


@pytest.mark.parametrize("distortion", ["squared_error", "bernoulli"])
@pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
def test_the_loss_compares_with_the_clean_example(name, distortion):
    model = perturbed(zoo.DenoisingAutoencoder, TINY | dict(corruption=name, level=0.5, distortion=distortion))
    x, seed = cases.batch(model, 6), random.seed(4)
    process = corruptions.make(name, 0.5)
    spoiled = process.apply(x, process.noise(seed, 6, SHAPE), 0.5)
    raw = model.parameters(model.encode(spoiled))
    loss = model.objective(x, seed)["reconstruction"]
    np.testing.assert_allclose(loss, model.measure.of(x, raw), rtol=1e-5)
    assert np.all(np.abs(loss - model.measure.of(spoiled, raw)) > 1e-3)
    clean = perturbed(zoo.DenoisingAutoencoder, TINY | dict(corruption=name, level=0.0, distortion=distortion))
    np.testing.assert_allclose(clean.objective(x, seed)["reconstruction"], clean.distortion(x), rtol=1e-5)


def test_what_is_learned_undoes_the_noise():
    """Images of one value each: a masked entry is known from its neighbours, and a larger code than the image is no way
    around that."""
    x = tf.repeat(tf.linspace(0.2, 0.9, 64)[:, None], 20, 1)
    x = tf.reshape(x, [64, *SHAPE])
    model = perturbed(zoo.DenoisingAutoencoder,
                      TINY | dict(corruption="masking", level=0.3, distortion="squared_error"), 0.01)
    trained(model, x, 400)
    spoiled, found = operations.denoise(model, x, seeds(64, 9))
    before, after = (float(tf.reduce_mean(tf.square(y - x))) for y in (spoiled, found))
    assert after < 0.15 * before


def test_the_capability_is_a_protocol():
    assert isinstance(cases.make("denoising_autoencoder"), Denoising) and not isinstance(
        cases.make("autoencoder"), Denoising
    )
    # a step of diffusion is another thing
    assert [name for name in zoo.MODELS if "denoise" in capabilities(zoo.MODELS[name])] == ["denoising_autoencoder"]
    with pytest.raises(ValueError, match="Autoencoder does not denoise"):
        operations.denoise(cases.make("autoencoder"), None, None)
    assert zoo.DenoisingAutoencoder(**(TINY | dict(corruption="gaussian",
                                                   level=1.5))).corruption == "gaussian noise, level 1.5"


@pytest.mark.parametrize("arguments, said", [
    (dict(corruption="blur"), "corruption must be one of gaussian, masking, salt_and_pepper, found 'blur'"),
    (dict(level=-0.1), "level must be between 0 and 1, the part of the entries that masking noise hides, found -0.1"),
    (dict(corruption="salt_and_pepper", level=1.1), "level must be between 0 and 1.*found 1.1"),
    (dict(corruption="gaussian", level=-1.0), "level must be between 0 and 100, the standard deviation.*found -1.0"),
    (dict(corruption="gaussian", level=float("inf")), "level must be between 0 and 100"),
    (dict(level=float("nan")), "level must be between"),
])
def test_bad_arguments(arguments, said):
    with pytest.raises(ValueError, match=said):
        zoo.DenoisingAutoencoder(**(TINY | arguments))


def test_a_bad_level_of_a_call():
    model = perturbed(zoo.DenoisingAutoencoder, TINY)
    with pytest.raises(ValueError, match="level must be 0 to 1, found 2"):
        model.corrupt(cases.batch(model, 2), seeds(2), level=2.0)
