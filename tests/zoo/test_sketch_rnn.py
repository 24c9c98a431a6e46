"""Sketch-RNN, with and without codes: densities of sketches of all lengths, the paper's formulas, schedules, bounds in
order, bad input."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.support.sketch_rnns import MODELS, T, make, seeds, sketches
from zoo import random
from zoo.autoregressive.sketch_rnn_unconditional import UnconditionalSketchRNN
from zoo.distributions import strokes
from zoo.latent.sketch_rnn import SketchRNN
from zoo.training.game import losses_and_gradients


def log_likelihood(model, x, z=None):
    """log p(x), or log p(x|z) of one z."""
    if z is None:
        return model.log_prob(x)
    return tfp.distributions.Independent(strokes.Strokes(model.parameters(x, tf.repeat(z, tf.shape(x)[0], axis=0))),
                                         1).log_prob(x)


# Densities.

@pytest.mark.parametrize("kind", MODELS)
def test_sketches_of_all_lengths_have_probability_one_together(kind):
    """All sketches of at most two steps: states by enumeration, offsets by quadrature."""
    model = make(MODELS[kind], shape=(2, 5))
    z = tf.constant([[0.4, -1.0]]) if kind == "with codes" else None
    axis, end = np.linspace(-7.2, 7.2, 17), np.float32(strokes.END)
    pens = np.eye(5, dtype=np.float32)[[2, 3]]
    offsets = np.zeros([17 * 17, 5], np.float32)
    offsets[:, :2] = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    steps = np.concatenate([offsets + pen for pen in pens])  # every first step that does not end
    function, cell = tf.function(lambda x: log_likelihood(model, x, z)), (axis[1] - axis[0]) ** 2

    def mass(first, second):
        x = np.stack([np.repeat(first, len(second), 0), np.tile(second, (len(first), 1))], 1)
        return float(np.exp(function(tf.constant(x)), dtype=np.float64).sum())

    parts = [mass(end[None], end[None]), mass(steps, end[None]) * cell, mass(steps, steps) * cell ** 2]
    np.testing.assert_allclose(sum(parts), 1.0, atol=2e-3)
    assert min(parts) > 0.05


@pytest.mark.parametrize("kind", MODELS)
def test_nothing_but_the_end_follows_the_end(kind):
    model, x, z = make(MODELS[kind]), sketches(20).numpy(), tf.constant([[1.0, 0.0]]) if kind == "with codes" else None
    before = log_likelihood(model, x, z)
    longer = np.concatenate([x, np.tile(np.float32(strokes.END), (20, 3, 1))], 1)
    other = make(MODELS[kind], shape=(T + 3, 5))
    other.set_weights(model.get_weights())
    # it does not depend on how far it is filled up
    np.testing.assert_allclose(log_likelihood(other, longer, z), before, atol=1e-5)
    x[:, -1] = [0, 0, 1, 0, 0]
    ended = strokes.over(x)[:, -1]
    assert 0 < np.sum(ended) < 20
    np.testing.assert_array_equal(log_likelihood(model, x, z) < before - 1e8, ended)


def lstm(layer, x, h, c, added=0.0):
    kernel, recurrent, bias = (np.array(w, np.float64) for w in layer.get_weights())

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    states = []
    for step in x:
        i, g, f, o = np.split(step @ kernel + h @ recurrent + bias + added, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def dense(layer, x):
    weights = [np.array(w, np.float64) for w in layer.get_weights()]
    return x @ weights[0] + (weights[1] if len(weights) > 1 else 0)


def test_the_networks_are_the_papers_formulas():
    model, x = make(classes=3), sketches(5)
    condition, z = tf.constant([0, 2, 1, 1, 0]), tf.random.stateless_normal([5, 2], [1, 2])
    posterior, raw = model.posterior(x, condition), model.parameters(x, z, condition)
    for row in range(5):
        sketch = x[row].numpy().astype(np.float64)
        num = int(sketch[:, 4].argmax()) + 1  # the end is read, what fills up is not
        zero, label = np.zeros(4), np.eye(3)[condition[row]]
        ends = [lstm(layer, part, zero, zero)[-1] for layer,
                part in zip(model.encoder.directions, (sketch[:num], sketch[:num][::-1]))]
        loc, log_variance = np.split(dense(model.head, np.concatenate([*ends, label])), 2)
        np.testing.assert_allclose(posterior.mean()[row], loc, atol=1e-5)
        np.testing.assert_allclose(posterior.stddev()[row], np.exp(log_variance / 2), rtol=1e-4)
        given = np.concatenate([z[row], label])
        h, c = np.split(np.tanh(dense(model.decoder.initial, given)), 2)
        read = np.concatenate([[[0, 0, 1, 0, 0]], sketch[:num - 1]])
        found = dense(model.decoder.outputs, lstm(model.decoder.lstm, read, h, c, dense(model.decoder.given, given)))
        np.testing.assert_allclose(raw[row, :num], found, atol=1e-4)
        assert np.all(raw[row, num:, :3] == [-1e9, -1e9, 0])


@pytest.mark.parametrize("kind", MODELS)
def test_no_step_looks_ahead(kind):
    model, x = make(MODELS[kind]), np.array(sketches(4))
    x[..., 2:] = [1, 0, 0]
    z = [tf.ones([4, 2])] if kind == "with codes" else []
    base = model.parameters(tf.constant(x), *z).numpy()
    for t in range(T):
        other = x.copy()
        other[:, t, :2] += 1.0
        changed = np.abs(model.parameters(tf.constant(other), *z) - base).max((0, 2)) > 1e-6
        np.testing.assert_array_equal(changed, np.arange(T) > t)


# Losses and bounds.

def test_the_schedule_and_the_loss():
    model, x = make(kl_weight=0.6, kl_min=0.05, eta_min=0.1, annealing=0.9), sketches(8)
    np.testing.assert_allclose([model.eta(step) for step in (0, 1, 10, 1000, None)],
                               [0.1, 1 - 0.9 * 0.9, 1 - 0.9 * 0.9 ** 10, 1.0, 1.0], rtol=1e-5)
    kl = tfp.distributions.kl_divergence(model.posterior(x), model.prior()).numpy()
    loc, scale = model.posterior(x).mean().numpy(), model.posterior(x).stddev().numpy()
    np.testing.assert_allclose(kl, -0.5 * (1 + 2 * np.log(scale) - loc ** 2 - scale ** 2).sum(1), rtol=1e-4)
    for step in (0, 5, None):
        terms = model.objective(x, random.seed(1), step)
        assert list(terms) == ["offsets", "pen", "kl"]
        # T times the paper's L_R + w_KL eta max(L_KL, KL_min), of which L_KL is the mean over N_z dimensions.
        np.testing.assert_allclose(terms["kl"], T * 0.6 * float(model.eta(step)) * np.maximum(kl / 2, 0.05), rtol=1e-4)
        z = loc + scale * tf.random.stateless_normal([8, 2], random.split(random.seed(1))[0])
        likelihood = tfp.distributions.Independent(strokes.Strokes(model.parameters(x, z)), 1).log_prob(x)
        np.testing.assert_allclose(-terms["offsets"] - terms["pen"], likelihood, rtol=1e-4)
    high = make(kl_min=100.0)
    np.testing.assert_allclose(high.objective(x, random.seed(1))["kl"], T * 0.5 * 100.0, rtol=1e-5)
    assert np.all(high.elbo(x, seeds(8)) > -1e3)  # the floor is the loss's, not the bound's


def test_offsets_count_only_inside_the_drawing():
    model, x = make(UnconditionalSketchRNN), np.array(sketches(10))
    terms = model.objective(tf.constant(x), random.seed(0))
    raw = model.parameters(tf.constant(x))
    inside = x[..., 4] == 0
    offsets, pen = strokes.Strokes(raw).offset_log_prob(x).numpy(), tf.nn.log_softmax(raw[..., :3]).numpy()
    np.testing.assert_allclose(terms["offsets"], -(offsets * inside).sum(1), rtol=1e-5)
    upto = np.cumsum(~inside, 1) <= 1  # the end itself has a state
    np.testing.assert_allclose(terms["pen"], -((pen * x[..., 2:]).sum(-1) * upto).sum(1), rtol=1e-5)


def test_the_bounds_lie_in_order_below_the_likelihood():
    model, x = make(), sketches(4, seed=2)
    # nearly as broad as the prior: bounded weights
    model.head.kernel.assign(model.head.kernel * [[0.3, 0.3, 0.0, 0.0]])
    model.head.bias.assign(tf.zeros([4]))
    axis = np.linspace(-5, 5, 61)
    z = tf.constant(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2), tf.float32)
    cell, repeats = np.log((axis[1] - axis[0]) ** 2), 200
    exact = []
    for sketch in x:
        steps = tfp.distributions.Independent(strokes.Strokes(model.parameters(tf.repeat(sketch[None], len(z), axis=0),
                                                                               z)), 1)
        exact.append(float(tf.reduce_logsumexp(steps.log_prob(sketch) + model.prior().log_prob(z))) + cell)
    many, rows = tf.repeat(x, repeats, axis=0), seeds(4 * repeats)
    elbo = np.reshape(model.elbo(many, rows), [4, repeats])
    log_prob = tf.function(model.log_prob)
    bounds = [np.reshape(log_prob(many, rows, num_samples=k, chunk=5), [4, repeats]).mean(1) for k in (1, 20)]
    error = elbo.std(1) / np.sqrt(repeats)
    assert np.all(np.abs(bounds[0] - elbo.mean(1)) < 6 * error + 0.05)
    assert (
        np.all(elbo.mean(1) < np.array(exact) + 4 * error)
        and np.mean(elbo) < np.mean(bounds[1]) < np.mean(exact) + 0.02
    )
    tight = log_prob(x, seeds(4), num_samples=2000, chunk=500)
    np.testing.assert_allclose(tight, exact, atol=0.06)
    np.testing.assert_allclose(sum(model.rate_distortion(x, seeds(4))), -model.elbo(x, seeds(4)), rtol=1e-5)


def test_dropout_draws_from_the_seed_and_only_in_training():
    for cls in MODELS.values():
        model, x = make(cls, dropout=0.4), sketches(6)
        one, same, other = (sum(model.objective(x, random.seed(s)).values()) for s in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert np.abs(one - other).max() > 1e-3
    plain = make(UnconditionalSketchRNN)
    np.testing.assert_allclose(sum(plain.objective(x, random.seed(1)).values()), -model.log_prob(x), rtol=1e-5)
    assert np.abs(one + model.log_prob(x)).max() > 1e-3


def test_it_learns_a_square():
    """A square of side 1, drawn either way round: the code says which."""
    model = make(latent_size=1, shape=(5, 5), decoder_units=16, kl_weight=0.01, kl_min=0.0, annealing=0.9)
    path = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)
    x = np.tile(np.float32(strokes.END), (2, 5, 1))
    x[0, :4, :2], x[1, :4, :2] = path, path[:, ::-1]
    x[:, :4, 2:] = np.eye(3)[[0, 0, 0, 1]]
    batch, player, optimizer = tf.constant(np.repeat(x, 8, 0)), model.players()[0], keras.optimizers.Adam(0.02)
    optimizer.build(list(player.weights))

    @tf.function
    def train(step):
        shaken = batch + 0.02 * tf.pad(tf.random.stateless_normal([16, 4, 2], [step, 1]), [[0, 0], [0, 1], [0, 3]])
        optimizer.apply(losses_and_gradients(player, shaken, tf.stack([step, 0]), step)[1], list(player.weights))

    for step in range(400):
        train(tf.constant(step))
    np.testing.assert_allclose(model.decode(model.encode(tf.constant(x))), x, atol=0.15)


# Bad input.

@pytest.mark.parametrize("cls, wrong", [
    *((SketchRNN, wrong) for wrong in (dict(shape=(5,)), dict(shape=(4, 3)), dict(latent_size=0), dict(components=0),
                                       dict(kl_weight=-1.0), dict(eta_min=1.5), dict(annealing=0.0), dict(dropout=1.0),
                                       dict(classes=0))),
    *((UnconditionalSketchRNN, wrong) for wrong in (dict(units=0), dict(dropout=-0.1), dict(shape=(2, 3, 5))))])
def test_wrong_arguments_raise(cls, wrong):
    with pytest.raises(ValueError):
        make(cls, **wrong)


@pytest.mark.parametrize("kind", MODELS)
def test_wrong_settings_raise(kind):
    model = make(MODELS[kind])
    for tau in (0.0, -1.0, [1.0, 0.0]):
        with pytest.raises(ValueError, match="temperature must be 0.0001 to 100"):
            model.sample(seeds(2), temperature=tau)
    with pytest.raises(ValueError, match="condition: this model takes none"):
        model.sample(seeds(2), tf.zeros([2], tf.int32))
    with pytest.raises(ValueError, match="condition: a class label, 0 to 1, per row is needed"):
        make(MODELS[kind], classes=2).sample(seeds(2))


def test_masks_of_the_wrong_shape_raise():
    model = make(UnconditionalSketchRNN)
    with pytest.raises(ValueError, match=r"mask must be \[batch, 6\]"):
        model.complete(sketches(2), tf.zeros([2, T, 5], tf.bool), seeds(2))
