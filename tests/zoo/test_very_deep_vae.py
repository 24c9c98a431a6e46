"""The very deep VAE: its terms against a twin in numpy, KL terms against draws, sampling against decoding, and tens of
layers that stay finite."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import zoo
from tests.support import cases
from tests.support.variationals import IMAGES, perturbed, trained
from zoo import random
from zoo.latent import very_deep_vae
from zoo.latent.parts import top_down

tfd = tfp.distributions
TINY = dict(shape=(2, 2, 1), levels=2, width=4, bottleneck=2, latent_channels=1, rates=(2,), encoder_blocks=(1, 1),
            decoder_blocks=(2, 1))


def make(stddev=0.3, **arguments):
    return perturbed(zoo.create, dict(name="very_deep_vae") | TINY | arguments, stddev=stddev)


def conv(layer, x):
    """A convolution as a sum over the places of its kernel."""
    kernel, bias = (np.asarray(w, np.float64) for w in (layer.kernel, layer.bias))
    half = kernel.shape[0] // 2
    padded = np.pad(x, [(0, 0), (half, half), (half, half), (0, 0)])
    _, height, width, _ = x.shape
    return bias + sum(
        padded[:, u : u + height, v : v + width] @ kernel[u, v]
        for u in range(kernel.shape[0])
        for v in range(kernel.shape[1])
    )


def bottleneck(block, x):
    for layer in block.convolutions:
        x = conv(layer, x * 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0))))
    return x


def pooled(x, rate):
    """The mean of each cell of rate x rate places, the last ones being smaller."""
    batch, height, width, n = x.shape
    rows, columns = range(0, height, rate), range(0, width, rate)
    return np.stack([np.stack([x[:, i:i + rate, j:j + rate].mean((1, 2)) for j in columns], 1) for i in rows], 1)


def normal(raw):
    loc, log_scale = np.split(raw, 2, -1)
    return tfd.Normal(loc, np.exp(5.0 * np.tanh(log_scale / 5.0)))


def twin(model, x, eps):
    """(kls, the layer next to the image first; log p(x|z); log q(z|x) - log p(z)) by the paper's equations, block by
    block."""
    found, h = [], conv(model.read, x)
    for k, blocks in enumerate(model.up):
        for block in blocks[:model.encoder_blocks[k]]:
            h = h + bottleneck(block, h)
        found.append(h)
        if k < len(model.rates):
            h = pooled(h + bottleneck(blocks[-1], h), model.rates[k])
    parts = np.split(eps, np.cumsum(model.sizes)[:-1], -1)
    kls, difference, h = [], 0.0, None
    for layer, block in reversed(list(enumerate(model.down))):
        k = model.grid_of[layer]
        height, width = model.grids[k]
        if layer == len(model.down) - 1 or model.grid_of[layer + 1] != k:
            above = (
                0.0 if h is None else np.kron(h, np.ones([1, model.rates[k], model.rates[k], 1]))[:, :height, :width]
            )
            h = np.asarray(model.biases[k], np.float64) + above + np.zeros([len(x), 1, 1, 1])
        q, raw = normal(bottleneck(block.posterior_net,
                                   np.concatenate([h, found[k]], -1))), bottleneck(block.prior_net, h)
        p = normal(raw[..., :2 * model.latent_channels])
        z = q.mean() + q.stddev() * parts[layer].reshape(len(x), height, width, model.latent_channels)
        kls.insert(0, tf.reduce_sum(tfd.kl_divergence(q, p), [1, 2, 3]))
        difference += tf.reduce_sum(q.log_prob(z) - p.log_prob(z), [1, 2, 3])
        h = h + raw[..., 2 * model.latent_channels:] + conv(block.project, np.asarray(z))
        h = h + bottleneck(block.residual, h)
    logits = conv(model.head, h)
    return kls, np.sum(tfd.Bernoulli(logits=logits).log_prob(x), (1, 2, 3)), np.asarray(difference)


def test_the_bound_is_the_paper_s():
    model = make(shape=(4, 3, 1), width=5, bottleneck=3, latent_channels=2, encoder_blocks=(2, 1),
                 decoder_blocks=(2, 2))
    x = np.random.default_rng(1).integers(0, 2, (3, 4, 3, 1)).astype(np.float64)
    eps = np.random.default_rng(2).normal(size=(3, model.noise_size))
    kls, log_likelihood, difference = twin(model, x, eps)
    x, eps = tf.cast(x, tf.float32), tf.cast(eps, tf.float32)
    terms = model.terms(x, eps)
    assert list(terms) == ["reconstruction", "kl_1", "kl_2", "kl_3", "kl_4"] and min(map(np.min, kls)) > 1e-3
    np.testing.assert_allclose(terms["reconstruction"], -log_likelihood, rtol=1e-4)
    for layer, kl in enumerate(kls):
        np.testing.assert_allclose(terms[f"kl_{layer + 1}"], kl, rtol=1e-3, atol=1e-5)
    # what does not depend on noise is computed once for both
    weights = model.weigher(x)(tf.stack([eps, tf.zeros_like(eps)]))
    np.testing.assert_allclose(weights[0], log_likelihood - difference, rtol=1e-3)
    np.testing.assert_allclose(weights[1], model.weigher(x)(tf.zeros_like(eps)[None])[0], rtol=1e-4)


def test_latents_have_the_densities_that_are_said_of_them():
    model = make()
    eps = tf.random.stateless_normal([3, 4, model.noise_size], [1, 2])
    z, log_q = model.approximate(IMAGES[:4])(eps)
    direct = model.weigher(IMAGES[:4])(eps)
    np.testing.assert_allclose(direct, model.likelihood(z).log_prob(IMAGES[:4]) + model.log_prior(z) - log_q, rtol=1e-4,
                               atol=1e-4)


def test_rates_are_those_of_draws():
    model = make()
    x = tf.repeat(IMAGES[5:6], 20_000, 0)
    _, _, kls, log_qs, log_ps = model.path(x, tf.random.stateless_normal([20_000, model.noise_size], [1, 2]))
    for kl, log_q, log_p in zip(kls, log_qs, log_ps):
        sampled = log_q - log_p - kl
        np.testing.assert_allclose(tf.reduce_mean(sampled), 0.0,
                                   atol=5 * float(tf.math.reduce_std(sampled)) / 141 + 1e-4)


def test_samples_are_decodings_of_the_prior_s_draws():
    model = cases.make("very_deep_vae")
    for weight in model.weights:
        weight.assign_add(tf.random.stateless_normal(weight.shape, [1, 2], stddev=0.2))
    seeds = random.rows(random.seed(4), 5)
    z = model.draw_prior(seeds)
    np.testing.assert_allclose(model.draw_parameters(seeds), model.parameters(z), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.decode(tf.concat(z, -1)), model.observation.mean(model.draw_parameters(seeds)),
                               rtol=1e-4, atol=1e-4)
    # z is the prior's: what its density says of the noise that made it.
    for block in model.down:  # of no width
        last = block.prior_net.convolutions[-1]
        last.kernel.assign(tf.zeros_like(last.kernel))
        last.bias.assign([0.0] * 2 + [-1e9] * 2 + [0.1] * (last.filters - 4))
    z = model.draw_prior(seeds)
    assert max(float(tf.reduce_max(tf.abs(layer))) for layer in z) < 6 * math.exp(-5.0)
    eps = random.normal_rows(seeds, [model.noise_size])
    expected = tf.reduce_sum(-0.5 * eps**2 + 5.0 - 0.5 * math.log(2 * math.pi), -1)
    np.testing.assert_allclose(model.log_prior(z), expected, rtol=1e-3)


def test_a_posterior_that_is_the_prior_costs_nothing():
    model = make()
    for block in model.down:
        for net in (block.prior_net, block.posterior_net):
            last = net.convolutions[-1]
            last.kernel.assign(tf.zeros_like(last.kernel))
            last.bias.assign([0.3, -0.7] + [0.1] * (last.filters - 2))
    rate, distortion = model.rate_distortion(IMAGES, random.rows(random.seed(1), 16))
    np.testing.assert_allclose(rate, 0.0, atol=1e-5)
    assert np.all(distortion > 0.1)


@pytest.mark.slow
def test_bounds_rise_to_the_likelihood():
    model = make(stddev=0.03)
    model.head.kernel.assign(3.0 * model.head.kernel)
    raw = tf.function(model.draw_parameters)(random.rows(random.seed(9), 40_000))
    exact = np.array([tf.reduce_logsumexp(model.observation.distribution(raw).log_prob(x)) - np.log(40_000.0)
                      for x in IMAGES])
    np.testing.assert_allclose(np.exp(exact).sum(), 1.0, atol=1e-4)
    many = tf.repeat(IMAGES, 20, axis=0)
    seeds = random.rows(random.seed(3), len(many))
    compute = tf.function(lambda num, chunk: model.log_prob(many, seeds, num_samples=num, chunk=chunk))
    bounds = [float(tf.reduce_mean(compute(k, chunk))) for k, chunk in ((1, 1), (20, 20), (4000, 400))]
    assert bounds[0] < bounds[1] < bounds[2] < exact.mean() + 0.02
    np.testing.assert_allclose(bounds[2], exact.mean(), atol=0.1)


@pytest.mark.slow
def test_training_uses_the_latents():
    model = zoo.create("very_deep_vae", **(TINY | dict(shape=(4, 4, 1), width=8, bottleneck=4, decoder_blocks=(1, 1))))
    x = tf.repeat(tf.constant([[[[0.0]] * 4] * 4, [[[1.0]] * 4] * 4]), 8, 0)  # one bit: black or white
    losses = trained(model, x, 150)
    rate, distortion = model.rate_distortion(x, random.rows(random.seed(1), 16))
    assert (
        np.mean(losses[-10:]) < 4.0 < 10.0 < losses[0]
        and float(tf.reduce_mean(rate)) > 0.4
        and np.median(distortion) < 1.0
    )


DEEP = dict(shape=(4, 4, 1), levels=256, width=4, bottleneck=2, latent_channels=2, rates=(2, 2),
            encoder_blocks=(10, 10, 10), decoder_blocks=(12, 12, 6), likelihood="discretized_logistic_mixture",
            components=3)


def deep(**arguments):
    keras.utils.set_random_seed(1)
    return zoo.create("very_deep_vae", **(DEEP | arguments))


@pytest.mark.slow
def test_thirty_layers_start_with_finite_gradients_and_as_large_as_three():
    x, losses = tf.constant(np.random.default_rng(0).integers(0, 256, (4, 4, 4, 1)), tf.int32), []
    for model in (deep(), deep(encoder_blocks=(1, 1, 1), decoder_blocks=(1, 1, 1))):
        with tf.GradientTape() as tape:
            terms = model.objective(x, random.seed(1))
            loss = tf.reduce_mean(tf.add_n(list(terms.values())))
        gradients = tape.gradient(loss, model.trainable_weights)
        assert len(terms) == 1 + sum(model.decoder_blocks) and all(np.all(np.isfinite(g)) for g in gradients)
        losses.append(float(loss))
        blocks = sum(map(len, model.up))
        starts = [([layer.convolutions[-1] for blocks in model.up for layer in blocks], 2, blocks),
                  ([block.project for block in model.down], 2, len(model.down)),
                  ([block.residual.convolutions[-1] for block in model.down], 2, len(model.down))]
        for added, inputs, number in starts:  # what is added starts as small as there are blocks
            squares = np.mean([np.mean(np.square(layer.kernel)) for layer in added])
            assert len(added) == number
            np.testing.assert_allclose(squares, 1.0 / (inputs * number), rtol=0.25 if number > 10 else 0.8)
    assert abs(losses[0] - losses[1]) < 0.2 * losses[1]


def test_log_scales_stay_in_bounds():
    raw = tf.constant([-1e30, -1e3, -1.0, 0.0, 1.0, 1e3, 1e30])[:, None, None, None]
    with tf.GradientTape() as tape:
        tape.watch(raw)
        loc, log_scale = top_down.gaussian(tf.concat([tf.zeros_like(raw), raw], -1))
        value = very_deep_vae.kl(loc, log_scale, loc + 1.0, tf.reverse(log_scale, [0])) + very_deep_vae.log_density(
            loc + 3.0, loc, log_scale
        )
    assert (
        np.all(np.abs(log_scale) <= 5.0)
        and np.all(np.isfinite(value))
        and np.all(np.isfinite(tape.gradient(value, raw)))
    )
    np.testing.assert_allclose(np.ravel(log_scale)[2:5], [-1.0, 0.0, 1.0], atol=0.02)  # near 0 what the network says


def test_extreme_weights_keep_the_scales():
    model = make(stddev=30.0, encoder_blocks=(1, 1), decoder_blocks=(1, 1))
    terms = model.objective(IMAGES, random.seed(1))
    assert all(np.all(np.isfinite(value)) for value in terms.values())


@pytest.mark.parametrize("arguments", [
    dict(decoder_blocks=(1,)), dict(encoder_blocks=(1, 1, 1)), dict(rates=(1,)), dict(rates=()), dict(width=0),
    dict(bottleneck=0), dict(latent_channels=0),
    dict(decoder_blocks=(0, 1)), dict(encoder_blocks=(1, 0)), dict(shape=(2, 2)), dict(likelihood="poisson"),
    dict(components=0)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError):
        zoo.create("very_deep_vae", **(TINY | arguments))


def test_one_grid_alone():
    model = make(rates=(), encoder_blocks=(1,), decoder_blocks=(2,))
    assert np.all(np.isfinite(model.elbo(IMAGES, random.rows(random.seed(1), 16)))) and model.sizes == [4, 4]
