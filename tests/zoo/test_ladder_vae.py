"""The ladder VAE: the merge of densities, KL terms against draws, bounds that rise to the likelihood, what follows."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import zoo
from tests.support import cases, duels
from tests.support.variationals import IMAGES, perturbed
from tests.trainers.test_engine import batches, config, engine
from trainers import train
from trainers.runs.run import load
from zoo import random
from zoo.latent import ladder_vae
from zoo.training.game import measure

tfd = tfp.distributions
TINY = dict(shape=(2, 2, 1), levels=2, latent_sizes=(2, 1), hidden=(5, 4), activation="tanh")


def make(**arguments):
    return perturbed(zoo.LadderVAE, TINY | arguments, stddev=0.2)


def test_the_merge_is_the_product_of_two_densities():
    loc, scale = ladder_vae.merge(*(tf.constant([v]) for v in (0.5, 0.7, -1.0, 0.4)))
    z = np.linspace(-3, 3, 7).astype(np.float32)
    product = tfd.Normal(0.5, 0.7).log_prob(z) + tfd.Normal(-1.0, 0.4).log_prob(z)
    merged = tfd.Normal(loc, scale).log_prob(z)
    np.testing.assert_allclose(product - merged, np.full(7, (product - merged)[0]), atol=1e-4)  # but for a constant
    np.testing.assert_allclose(ladder_vae.kl(*(tf.constant([v]) for v in (0.5, 0.7, -1.0, 0.4))),
                               tfd.kl_divergence(tfd.Normal(0.5, 0.7), tfd.Normal(-1.0, 0.4)), rtol=1e-5)


def test_the_lower_posterior_reads_both_sides():
    model = make()
    x, eps = IMAGES[5:7], tf.random.stateless_normal([2, 3], [1, 2])
    z, kls, log_qs = model.path(x, eps)
    (loc, scale), top = model.evidence(x)
    np.testing.assert_allclose(z[1], top[0] + top[1] * eps[:, 2:], rtol=1e-5)
    prior = model.conditional(0, z[1])
    q = tfd.Normal(*ladder_vae.merge(loc, scale, *prior))
    np.testing.assert_allclose(z[0], q.mean() + q.stddev() * eps[:, :2], rtol=1e-5)
    np.testing.assert_allclose(log_qs[0], tf.reduce_sum(q.log_prob(z[0]), -1), rtol=1e-4)
    np.testing.assert_allclose(kls[0], tf.reduce_sum(tfd.kl_divergence(q, tfd.Normal(*prior)), -1), rtol=1e-4)
    np.testing.assert_allclose(kls[1], tf.reduce_sum(tfd.kl_divergence(tfd.Normal(*top), tfd.Normal(0.0, 1.0)), -1),
                               rtol=1e-4)


def test_rates_are_those_of_draws():
    model = make()
    x = tf.repeat(IMAGES[5:6], 20_000, 0)
    z, log_q = model.approximate(x)(tf.random.stateless_normal([20_000, 3], [1, 2]))
    sampled = log_q - model.log_prior(z)
    rate, _ = model.rate_distortion(x, random.rows(random.seed(3), 20_000))
    np.testing.assert_allclose(tf.reduce_mean(sampled), tf.reduce_mean(rate),
                               atol=5 * float(tf.math.reduce_std(sampled)) / 141 + 1e-3)


def test_bounds_rise_to_the_likelihood():
    model = make()
    for layer, size in zip(model.likely, model.latent_sizes):  # broad: the weights are bounded
        layer.head.kernel.assign(0.2 * layer.head.kernel)
        layer.head.bias.assign([0.0] * size + [1.5] * size)
    likelihood = model.likelihood(model.draw_prior(random.rows(random.seed(9), 40_000)))
    exact = np.array([tf.reduce_logsumexp(likelihood.log_prob(x)) - np.log(40_000.0) for x in IMAGES])
    np.testing.assert_allclose(np.exp(exact).sum(), 1.0, atol=1e-4)
    many = tf.repeat(IMAGES, 50, axis=0)
    seeds = random.rows(random.seed(3), len(many))
    compute = tf.function(lambda num, chunk: model.log_prob(many, seeds, num_samples=num, chunk=chunk))
    bounds = [float(tf.reduce_mean(compute(k, chunk))) for k, chunk in ((1, 1), (10, 10), (100, 20))]
    assert bounds[0] < bounds[1] < bounds[2] < exact.mean() + 0.02
    np.testing.assert_allclose(bounds[2], exact.mean(), atol=0.1)


def test_warmup_weighs_every_layer():
    model = make(warmup_steps=10)
    (terms, _), (half, _) = (model.objective(IMAGES[:4], random.seed(1), tf.constant(step)) for step in (10, 5))
    assert list(terms) == ["reconstruction", "kl_1", "kl_2"]
    for name in ("kl_1", "kl_2"):
        np.testing.assert_allclose(half[name], 0.5 * terms[name], rtol=1e-5)


def test_training_normalises_by_the_batch_and_all_else_by_moments_that_follow():
    model, x = make(), IMAGES[3:11]
    player, = model.players()
    assert {id(w) for w in player.weights} == {id(w) for w in model.trainable_weights}
    assert {id(w) for w in player.follows} == {id(w) for w in model.non_trainable_weights}
    assert len(player.follows) == 2 * 2 * 3  # two moments of two layers in each of three trunks
    eps = tf.random.stateless_normal([8, 3], [1, 2])
    own = model.terms(x, eps, step=tf.constant(0))
    assert max(np.abs(own[name] - value).max() for name, value in model.terms(x, eps).items()) > 0.05
    start = [weight.numpy() for weight in player.follows]
    _, _, after = measure(player, x, random.seed(1), tf.constant(0))
    for weight, before, value in zip(player.follows, start, after, strict=True):
        np.testing.assert_array_equal(weight, before)  # a loss moves nothing
        weight.assign(before + (value - before) / 0.01)  # the moving average that is this batch's
    for weight, value in zip(player.follows, measure(player, x, random.seed(1), tf.constant(0))[2], strict=True):
        np.testing.assert_allclose(weight, value, atol=1e-5)
    eps = tf.random.stateless_normal([8, 3], random.seed(1))
    for (name, mine), theirs in zip(model.terms(x, eps, step=tf.constant(0)).items(), model.terms(x, eps).values()):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, err_msg=name)
    alone = model.elbo(x[:1], random.rows(random.seed(3), 8)[:1])
    np.testing.assert_allclose(model.elbo(x, random.rows(random.seed(3), 8))[:1], alone, rtol=1e-5)


@pytest.mark.parametrize("replicas", cases.slow_but([1, 2], 2))
def test_a_step_on_replicas_is_the_mean_of_their_gradients_and_moments(replicas):
    """Each normalises its own part of the batch by its own moments; those that follow are the mean of the parts'."""
    settings = config(learning_rate=0.1)
    settings.optimizer.name = "sgd"
    one, twin = engine("ladder_vae", replicas, settings), engine("ladder_vae", 1, settings).model
    x, player = next(batches(one.model)), twin.players()[0]
    one.advance(batches(one.model), 1)
    seeds = [random.fold_in(random.seed(11), 0, 0, 0, replica) for replica in range(replicas)]
    parts = [measure(player, part, seed, tf.constant(0)) for part, seed in zip(tf.split(x, replicas), seeds)]
    for weight, *gradients in zip(player.weights, *(gradients for _, gradients, _ in parts), strict=True):
        weight.assign_sub(0.1 * tf.add_n(gradients) / replicas)
    for weight, *values in zip(player.follows, *(values for *_, values in parts), strict=True):
        assert replicas == 1 or np.any(values[0] != values[1])
        weight.assign(tf.add_n(values) / replicas)
    for ours, theirs in zip(one.model.weights, twin.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5, err_msg=ours.path)


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 2])
def test_resumed_bit_for_bit(replicas, tmp_path):
    both = duels.interrupted(lambda: engine("ladder_vae", replicas, config(ema=0.9)), batches, tmp_path)
    ends = [(*one.model.get_weights(), *one.weights()) for one in both]
    for ours, theirs in zip(*ends, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 2])
def test_a_skipped_update_leaves_the_moments(replicas):
    one = engine("ladder_vae", replicas, config(skip_norm=1e-6))
    before = one.model.get_weights()
    one.advance(batches(one.model), 2)
    assert one.totals() == {"skipped": 2}
    for ours, theirs in zip(before, one.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


SELECTING = ["--model=ladder_vae", "--dataset=digits", "--config.model.levels=2", "--config.model.latent_sizes=(3, 2)",
             "--config.model.hidden=(8, 6)", "--noexport", "--batch_size=16", "--sample_every=0",
             "--config.data.binarization=threshold", "--config.data.validation=32", "--config.schedule.name=constant",
             "--config.selection.every=4"]


@pytest.mark.slow
def test_weights_are_selected_by_validation_with_the_moments_of_their_step(tmp_path):
    """Also where the run was interrupted and goes on."""
    assert train.run(["zoo-train", f"--workdir={tmp_path / 'whole'}", *SELECTING, "--steps=12"]) == 0
    whole = load(tmp_path / "whole")
    assert whole.selected in (4, 8, 12)
    for steps in (whole.selected, 12):
        assert train.run(["zoo-train", f"--workdir={tmp_path / 'parts'}", *SELECTING, f"--steps={steps}"]) == 0
        parts = load(tmp_path / "parts")
        assert parts.selected == whole.selected
        for ours, theirs in zip(whole.model.get_weights(), parts.model.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("arguments",
                         [dict(latent_sizes=()), dict(latent_sizes=(2,)), dict(hidden=(5, 0)), dict(warmup_steps=-1),
                          dict(shape=(2, 2))])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError):
        zoo.LadderVAE(**(TINY | arguments))
