"""The game of the GAN: what each player minimises, and what it may move."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import cases
from zoo import random
from zoo.gan.parts.losses import OBJECTIVES
from zoo.training.game import losses_and_gradients

POINTS = dict(shape=(2,), latent_size=3, generator_hidden=(6,), discriminator_hidden=(5,))


def make(**arguments):
    keras.utils.set_random_seed(1)
    return zoo.create("gan", **(POINTS | arguments))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_equal_the_papers_formulas(name):
    real, fake = np.array([-1.5, 0.0, 3.0]), np.array([2.0, -0.5, -4.0])
    d_real, d_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    terms = OBJECTIVES[name].discriminator(tf.constant(real), tf.constant(fake))
    assert list(terms) == ["real", "fake"]
    np.testing.assert_allclose(terms["real"], -np.log(d_real))
    np.testing.assert_allclose(terms["fake"], -np.log(1 - d_fake))
    expected = {"minimax": np.log(1 - d_fake), "non_saturating": -np.log(d_fake)}[name]
    np.testing.assert_allclose(OBJECTIVES[name].generator(tf.constant(fake))["fake"], expected)


def _optimal_value(p_data, p_model):
    """min_D of the discriminator's loss on a finite space, by the library's own loss at the optimal logit log p_data /
    p_model."""
    logits = tf.constant(np.log(p_data) - np.log(p_model))
    terms = OBJECTIVES["minimax"].discriminator(logits, logits)
    return float(tf.reduce_sum(p_data * terms["real"] + p_model * terms["fake"]))


def test_game_value_is_minus_log_4_at_equality_and_grows_with_the_jensen_shannon_divergence():
    """Theorem 1: max_D V = -log 4 + 2 JSD(p_data || p_model)."""
    p, q = np.array([0.1, 0.2, 0.7]), np.array([0.5, 0.3, 0.2])
    m = (p + q) / 2
    jsd = 0.5 * np.sum(p * np.log(p / m)) + 0.5 * np.sum(q * np.log(q / m))
    assert -_optimal_value(p, p) == pytest.approx(-math.log(4))
    assert -_optimal_value(p, q) == pytest.approx(-math.log(4) + 2 * jsd)


def test_ratio_of_densities_is_the_discriminators_optimum():
    """Proposition 1: the loss on a finite space is stationary, and least, at D = p_data / (p_data + p_model)."""
    p, q = tf.constant([0.1, 0.2, 0.7]), tf.constant([0.5, 0.3, 0.2])
    logits = tf.Variable(tf.math.log(p / q))

    def value():
        terms = OBJECTIVES["minimax"].discriminator(logits, logits)
        return tf.reduce_sum(p * terms["real"] + q * terms["fake"])

    with tf.GradientTape() as tape:
        best = value()
    np.testing.assert_allclose(tape.gradient(best, logits), 0.0, atol=1e-7)
    for shift in ([0.5, 0, 0], [0, -0.5, 0], [0, 0, 0.5]):
        logits.assign(tf.math.log(p / q) + shift)
        assert value() > best


def test_gradients_at_a_sure_discriminator_vanish_for_minimax_only():
    """d/dl log(1 - D) = -D and d/dl (-log D) = D - 1: at D(G(z)) near 0 the first is nearly 0, the second nearly -1."""
    logits = tf.constant([-10.0, 0.0, 2.0, -200.0, 200.0])
    d = tf.sigmoid(logits)
    for name, expected in {"minimax": -d, "non_saturating": d - 1}.items():
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = OBJECTIVES[name].generator(logits)["fake"]
        assert np.all(np.isfinite(loss))
        np.testing.assert_allclose(tape.gradient(loss, logits), expected, atol=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_terms_are_the_losses_of_the_networks_outputs(objective):
    model = make(objective=objective)
    x, seed = cases.batch(model, 4), random.seed(3)
    fakes = model.generate(tf.random.stateless_normal([4, 3], seed))
    discriminator, generator = model.players()
    expected = OBJECTIVES[objective].discriminator(model.logits(x), model.logits(fakes))
    for name, value in discriminator.loss(x, seed).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-6)
    np.testing.assert_allclose(generator.loss(x, seed)["fake"],
                               OBJECTIVES[objective].generator(model.logits(fakes))["fake"], rtol=1e-6)


def test_the_discriminator_moves_first_and_the_players_share_no_weight():
    model = make()
    names = [player.name for player in model.players()]
    assert names == ["discriminator", "generator"]
    first, second = ({id(w) for w in player.weights} for player in model.players())
    assert not first & second and first | second == {id(w) for w in model.weights}


def test_the_discriminators_loss_does_not_reach_the_generator():
    model = make()
    discriminator, generator = model.players()
    reached = losses_and_gradients(discriminator._replace(weights=model.trainable_weights), cases.batch(model, 4),
                                   random.seed(1))[1]
    own = {id(w) for w in discriminator.weights}
    for weight, gradient in zip(model.trainable_weights, reached, strict=True):
        assert (gradient is not None) == (id(weight) in own), weight.path


@pytest.mark.parametrize("mover", ["discriminator", "generator"])
def test_fit_moves_only_the_weights_of_the_player_whose_optimizer_moves(mover):
    model = make()
    rates = {player.name: 0.1 if player.name == mover else 0.0 for player in model.players()}
    model.compile({name: keras.optimizers.SGD(rate) for name, rate in rates.items()})
    before = {w.path: w.numpy() for w in model.weights}
    model.fit(tf.data.Dataset.from_tensors(cases.batch(model, 8)), epochs=2, verbose=0)
    for player in model.players():
        for weight in player.weights:
            assert np.any(before[weight.path] != weight.numpy()) == (player.name == mover), weight.path


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_step_is_gradient_descent_on_each_loss_in_turn(objective):
    """One `train_step` with plain SGD, against the two updates by hand: the generator meets the discriminator that has
    moved."""
    model, twin = make(objective=objective), make(objective=objective)
    x = cases.batch(model, 8)
    model.compile({"discriminator": keras.optimizers.SGD(0.1), "generator": keras.optimizers.SGD(0.2)}, seed=4)
    model.train_step(x)
    for index, (player, rate) in enumerate(zip(twin.players(), (0.1, 0.2))):
        gradients = losses_and_gradients(player, x, random.fold_in(random.seed(4), 0, index, 0, 0))[1]
        for weight, gradient in zip(player.weights, gradients, strict=True):
            weight.assign_sub(rate * gradient)
    for ours, theirs in zip(model.weights, twin.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_sample_is_the_generator_of_each_rows_noise():
    model = make()
    seeds = random.rows(random.seed(7), 5)
    z = tf.concat([random.normal_rows(s[None], [3]) for s in seeds], 0)
    np.testing.assert_allclose(model.sample(seeds), model.generate(z), atol=1e-6)
    np.testing.assert_allclose(model.sample(seeds[2:3]), model.sample(seeds)[2:3], atol=1e-6)


@pytest.mark.parametrize("bounded", [False, True])
def test_bounded_says_where_examples_lie(bounded):
    model = make(bounded=bounded)
    model.generator.layers[-2].bias.assign([50.0, -50.0])
    x = model.sample(random.rows(random.seed(1), 4)).numpy()
    assert model.domain.range == ((-1.0, 1.0) if bounded else None)
    assert np.all(np.abs(x) <= 1.0) == bounded and np.all(np.sign(x) == [1, -1])


def test_learns_a_gaussian():
    """A thousand small steps must find the mean and the scale of one mode."""
    model = make(generator_hidden=(16,), discriminator_hidden=(16,))
    x = tf.random.stateless_normal([1024, 2], [1, 2], mean=[2.0, -1.0], stddev=0.5)
    model.compile(keras.optimizers.Adam(2e-3, beta_1=0.5))
    model.fit(tf.data.Dataset.from_tensor_slices(x).repeat().batch(128), steps_per_epoch=1000, verbose=0)
    samples = model.sample(random.rows(random.seed(1), 500)).numpy()
    np.testing.assert_allclose(samples.mean(0), [2.0, -1.0], atol=0.3)
    assert np.all(samples.std(0) > 0.2) and np.all(samples.std(0) < 0.9)


@pytest.mark.parametrize("arguments, message", [
    (dict(objective="hinge"), "objective must be one of minimax, non_saturating, found 'hinge'"),
    (dict(latent_size=0), "latent_size must be at least 1, found 0"),
])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)
