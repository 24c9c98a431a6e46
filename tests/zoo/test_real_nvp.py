"""The flow: inverse, log-determinant and density against autodiff and integration."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import cases
from zoo import random
from zoo.transforms.coupling import AffineCoupling, checkerboard

TINY = {
    "points": dict(shape=(2,), couplings=3, hidden=(6, 5)),
    "table": dict(shape=(5,), couplings=4, hidden=(6,), activation="tanh"),
    "image": dict(shape=(2, 3, 1), levels=4, couplings=3, hidden=(7,), activation="tanh", alpha=0.1),
}


@pytest.fixture(params=TINY)
def model(request):
    return make(request.param)


def make(name, stddev=0.4):
    """A tiny flow whose weights are all random: as it starts, every coupling is the identity."""
    keras.utils.set_random_seed(1)
    model = zoo.create("real_nvp", **TINY[name])
    for index, weight in enumerate(model.trainable_weights):
        weight.assign_add(tf.random.stateless_normal(weight.shape, [index, 2], stddev=stddev))
    return model


def test_inverse_inverts(model):
    # far out, a sigmoid in float32 has no digits left to invert
    z = tf.random.stateless_normal([16, model.size], [1, 1], stddev=0.5)
    np.testing.assert_allclose(model.inverse(model.forward(z))[0], z, atol=1e-5)
    x = cases.batch(model, 16)
    np.testing.assert_allclose(model.decode(model.encode(x)), x, atol=1e-5)
    assert np.max(np.abs(model.encode(x) - tf.reshape(x, [16, -1]))) > 0.1  # not the identity


def test_log_det_equals_the_jacobian_of_autodiff(model):
    x = cases.batch(model, 4)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z, log_det = model.inverse(x)
    jacobian = tf.reshape(tape.batch_jacobian(z, x), [4, model.size, model.size])
    np.testing.assert_allclose(log_det, tf.linalg.slogdet(jacobian).log_abs_determinant, atol=1e-5)
    assert np.min(np.abs(log_det)) > 1e-3


def test_forward_has_the_inverse_jacobian(model):
    z = tf.random.stateless_normal([4, model.size], [1, 1], stddev=0.5)
    with tf.GradientTape() as tape:
        tape.watch(z)
        x = model.forward(z)
    jacobian = tf.reshape(tape.batch_jacobian(x, z), [4, model.size, model.size])
    np.testing.assert_allclose(-model.inverse(x)[1], tf.linalg.slogdet(jacobian).log_abs_determinant, atol=1e-4)


def test_log_prob_is_change_of_variables_and_minus_the_loss(model):
    x = cases.batch(model, 4)
    z, log_det = model.inverse(x)
    expected = -0.5 * tf.reduce_sum(z**2, -1) - 0.5 * model.size * math.log(2 * math.pi) + log_det
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-5)
    terms = model.players()[0].loss(x, random.seed(0))
    assert list(terms) == ["prior", "log_det"]
    np.testing.assert_allclose(terms["prior"] + terms["log_det"], -expected, rtol=1e-5)
    np.testing.assert_allclose(terms["log_det"], -log_det, rtol=1e-5)


def _grid(low, high, num):
    """Midpoints of a num x num grid, float32 [num * num, 2], and a cell's area."""
    step = (high - low) / num
    points = low + (np.arange(num) + 0.5) * step
    return np.stack(np.meshgrid(points, points), -1).reshape(-1, 2).astype("float32"), step**2


def test_density_of_points_integrates_to_one():
    x, area = _grid(-12.0, 12.0, 600)
    density = np.exp(make("points", stddev=0.2).log_prob(x).numpy().astype("float64"))
    assert density.sum() * area == pytest.approx(1.0, abs=2e-3)


def test_density_of_pixels_integrates_to_one():
    """Over all that the flow can reach, [-a, 1 + a] with a = alpha / (1 - 2 alpha), by the pure method; and over [0,
    1], to what its samples say."""
    keras.utils.set_random_seed(1)
    model = zoo.create("real_nvp", shape=(1, 2, 1), levels=3, couplings=2, hidden=(4,), alpha=0.1)
    for index, weight in enumerate(model.trainable_weights):
        weight.assign_add(tf.random.stateless_normal(weight.shape, [index, 2], stddev=0.2))
    margin = 0.1 / 0.8
    x, area = _grid(-margin, 1.0 + margin, 500)
    density = np.exp(model._log_prob(x.reshape(-1, 1, 2, 1)).numpy().astype("float64"))
    assert density.sum() * area == pytest.approx(1.0, abs=2e-3)
    inside = np.all((x >= 0) & (x <= 1), -1)
    samples = model.forward(tf.random.stateless_normal([20000, 2], [1, 1])).numpy().reshape(-1, 2)
    assert density[inside].sum() * area == pytest.approx(np.mean(np.all((samples >= 0) & (samples <= 1), -1)), abs=0.02)


def test_samples_follow_the_density():
    """The mean over samples of any function is its integral under the density: here of a disc's indicator and of the
    first entry."""
    model = make("points", stddev=0.2)
    x, area = _grid(-12.0, 12.0, 600)
    mass = np.exp(model.log_prob(x).numpy().astype("float64")) * area
    samples = model.forward(tf.random.stateless_normal([20000, 2], [1, 1])).numpy()
    assert np.mean(np.linalg.norm(samples,
                                  axis=-1) < 1.0) == pytest.approx(mass[np.linalg.norm(x, axis=-1) < 1.0].sum(),
                                                                   abs=0.015)
    assert samples[:, 0].mean() == pytest.approx(mass @ x[:, 0], abs=0.05)


def test_pixels_logit_is_the_papers():
    model = make("image")
    x = np.array([[0.0, 0.25, 0.5, 0.75, 0.9, 1.0]], "float32")
    p = 0.1 + 0.8 * x.astype("float64")
    np.testing.assert_allclose(model.pixels().inverse(x), np.log(p) - np.log1p(-p), atol=1e-5)
    log_det = np.log(0.8 / (p * (1 - p))).sum(-1)
    np.testing.assert_allclose(model.pixels().inverse_log_det_jacobian(x, event_ndims=1), log_det, rtol=1e-5)


def test_log_prob_is_finite_on_the_whole_cube():
    model = make("image")
    x = np.stack([np.zeros([2, 3, 1]), np.ones([2, 3, 1])]).astype("float32")
    assert np.all(np.isfinite(model.log_prob(x)))


def test_a_new_flow_is_the_identity_and_a_step_of_training_reaches_every_weight():
    keras.utils.set_random_seed(1)
    model = zoo.create("real_nvp", couplings=4, hidden=(8, 8))
    x = cases.batch(model, 32)
    np.testing.assert_allclose(model.encode(x), x, atol=1e-6)
    before = [w.numpy() for w in model.trainable_weights]
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(tf.data.Dataset.from_tensors(x).repeat(), steps_per_epoch=5, verbose=0)
    for weight, old in zip(model.trainable_weights, before):
        assert np.any(weight.numpy() != old), weight.path


def test_rows_are_independent(model):
    x = cases.batch(model, 5)
    together = model.log_prob(x)
    for i in range(5):
        np.testing.assert_allclose(model.log_prob(x[i:i + 1]), together[i:i + 1], rtol=1e-5)
    seeds = random.rows(random.seed(2), 4)
    z = tf.concat([random.normal_rows(s[None], [model.size]) for s in seeds], 0)
    np.testing.assert_allclose(model.sample(seeds), model.decode(z), atol=1e-5)


def test_samples_of_images_are_clipped_to_the_domain():
    model = make("image")
    z = tf.random.stateless_normal([200, 6], [1, 1], stddev=3.0)
    raw, x = model.forward(z).numpy(), model.decode(z).numpy()
    assert raw.min() < 0.0 and raw.max() > 1.0 and x.min() == 0.0 and x.max() == 1.0
    inside = (raw >= 0) & (raw <= 1)
    np.testing.assert_array_equal(raw[inside], x[inside])


def test_checkerboard_by_hand():
    np.testing.assert_array_equal(checkerboard((2, 3, 1), 0), [True, False, True, False, True, False])
    np.testing.assert_array_equal(checkerboard((2, 2, 1), 0), [True, False, False, True])
    np.testing.assert_array_equal(checkerboard((5,), 1), [False, True, False, True, False])


def test_a_coupling_keeps_what_conditions_and_moves_the_rest():
    """x_moved = z_moved * exp(s) + t with s and t functions of z_kept alone: they do not change with z_moved."""
    keras.utils.set_random_seed(1)
    kept = np.array([True, False, False, True])
    coupling = AffineCoupling(kept, (5,), "tanh")
    coupling.forward(tf.zeros([1, 4]))
    coupling.network.layers[-1].kernel.assign(tf.random.stateless_normal([5, 4], [1, 1]))
    z = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    x = coupling.forward(z)[0].numpy()
    np.testing.assert_array_equal(x[:, kept], z[:, kept])
    s, t = np.split(coupling.network(z[:, kept]).numpy(), 2, -1)
    np.testing.assert_allclose(x[:, ~kept], z[:, ~kept] * np.exp(coupling.scale.numpy() * np.tanh(s)) + t, rtol=1e-5)
    np.testing.assert_allclose(coupling.inverse(x)[1], -np.sum(np.tanh(s), -1), rtol=1e-5)


@pytest.mark.parametrize("kept", [[True, True], [False, False]])
def test_a_coupling_needs_both_sides(kept):
    with pytest.raises(ValueError, match="true for some"):
        AffineCoupling(kept, (4,), "relu")


@pytest.mark.parametrize("arguments, message", [
    (dict(shape=(1,)), "at least 2 entries"),
    (dict(couplings=1), "couplings be at least 2"),
    (dict(levels=1), "levels must be None or at least 2"),
    (dict(levels=4, alpha=0.0), "alpha between 0 and 0.5"),
    (dict(levels=4, alpha=0.5), "alpha between 0 and 0.5"),
])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.create("real_nvp", **arguments)
