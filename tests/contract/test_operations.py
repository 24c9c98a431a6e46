"""Operations on codes, against closed forms: an autoencoder that is an affine map, whose codes are known."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tests.support import cases
from zoo import operations
from zoo.model import split_batch


class Affine:
    """z = 2 x + c, of the shape of x."""

    def encode(self, x, condition=None):
        return 2.0 * x + self.offset(x, condition)

    def decode(self, z, condition=None):
        return (z - self.offset(z, condition)) / 2.0

    def offset(self, x, condition):
        return 0.0 if condition is None else tf.reshape(tf.cast(condition, tf.float32), [-1] + [1] * (len(x.shape) - 1))


class Plane(Affine):
    """Codes in the plane, with a prior whose two latents differ."""

    def prior(self):
        return tfp.distributions.Independent(tfp.distributions.Normal([0.0, 1.0], [1.0, 3.0]), 1)


class Solid(Plane):
    def prior(self):
        return tfp.distributions.Independent(tfp.distributions.Normal(tf.zeros([3]), 1.0), 1)


def normal(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def test_reconstruct_is_decode_of_encode():
    x = normal(4, 2, 3)
    np.testing.assert_allclose(operations.reconstruct(Affine(), x, tf.range(4)), x, atol=1e-6)


def test_linear_path_closed_form():
    x0, x1 = normal(3, 2, 2), normal(3, 2, 2, seed=1)
    path = operations.interpolate(Affine(), x0, x1, 5, "linear", condition=tf.constant([3, 0, 1]))
    weight = np.linspace(0, 1, 5)[None, :, None, None]
    np.testing.assert_allclose(path, (1 - weight) * x0.numpy()[:, None] + weight * x1.numpy()[:, None], atol=1e-5)


def test_traverse_replaces_one_number_of_the_code():
    """z = 2 x + c, so that x = (value - c) / 2 at the place and is as it was elsewhere."""
    x, condition = normal(3, 2, 2), tf.constant([3, 0, 1])
    found = operations.traverse(Affine(), x, tf.constant([0, 3, 2]), tf.constant([5.0, -1.0, 0.5]), condition)
    expected = x.numpy().reshape(3, 4).copy()
    expected[range(3), [0, 3, 2]] = (np.array([5.0, -1.0, 0.5]) - [3, 0, 1]) / 2
    np.testing.assert_allclose(found, expected.reshape(3, 2, 2), atol=1e-6)


def test_arithmetic_of_codes():
    a, b, c = (normal(3, 2, seed=seed) for seed in range(3))
    np.testing.assert_allclose(operations.arithmetic(Affine(), a, b, c, tf.constant([1, 2, 3])), a + b - c, atol=1e-6)


def test_spherical_path_against_arccos():
    """The formula in float64 with the angle by arccos, on codes [batch, 2, 3] of any length."""
    z0, z1 = normal(6, 2, 3).numpy(), normal(6, 2, 3, seed=1).numpy()
    weight = np.linspace(0, 1, 6)
    for i in range(6):
        a, b = z0[i].ravel().astype(float), z1[i].ravel().astype(float)
        angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        for w in weight:
            wanted = (np.sin((1 - w) * angle) * a + np.sin(w * angle) * b) / np.sin(angle)
            found = operations.blend(tf.constant(z0), tf.constant(z1), tf.fill([6], np.float32(w)))[i]
            np.testing.assert_allclose(np.ravel(found), wanted, atol=2e-6)


def test_spherical_path_keeps_the_norm_where_a_line_does_not():
    x0, x1 = tf.constant([[3.0, 0.0]]), tf.constant([[0.0, 3.0]])
    turn = np.linspace(0, np.pi / 2, 7)
    np.testing.assert_allclose(operations.interpolate(Affine(), x0, x1, 7)[0],
                               3 * np.stack([np.cos(turn), np.sin(turn)], -1), atol=1e-6)
    assert np.linalg.norm(operations.interpolate(Affine(), x0, x1, 7, "linear")[0, 3]) == pytest.approx(
        3 / np.sqrt(2), rel=1e-6
    )


@pytest.mark.parametrize("x1", [[2.0, 0.0, 0.0], [1.0, 1e-6, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
                         ids=["parallel", "nearly", "opposite", "zero"])
def test_spherical_path_without_an_arc_is_the_line(x1):
    x0, x1 = tf.constant([[1.0, 0.0, 0.0]] * 2), tf.constant([x1, [0.0, 1.0, 0.0]])
    found, line = (operations.interpolate(Affine(), x0, x1, 5, kind) for kind in ("spherical", "linear"))
    np.testing.assert_allclose(found[0], line[0], atol=1e-6)
    # the other row still goes round
    assert np.all(np.isfinite(found)) and not np.allclose(found[1], line[1], atol=1e-2)


@pytest.mark.parametrize("name", cases.CASES)
def test_ends_are_the_reconstructions(name):
    model = cases.make(name)
    if not hasattr(model, "encode"):
        pytest.skip("does not encode")
    (x0, condition), (x1, _) = (split_batch(cases.batch(model, 3, seed)) for seed in (0, 1))
    path = operations.interpolate(model, x0, x1, 4, condition=condition)
    assert path.shape == (3, 4, *model.domain.shape)
    for x, end in ((x0, path[:, 0]), (x1, path[:, -1])):
        np.testing.assert_allclose(end, operations.reconstruct(model, x, condition), atol=1e-5)


def test_between_gives_a_row_its_own_weight():
    x0, x1 = normal(3, 4), normal(3, 4, seed=1)
    path = operations.interpolate(Affine(), x0, x1, 3)
    np.testing.assert_allclose(operations.between(Affine(), x0, x1, tf.constant([0.0, 0.5, 1.0])),
                               [path[i, i] for i in range(3)], atol=1e-6)


@pytest.mark.parametrize("condition", [None, 2])
def test_manifold_is_a_grid_of_quantiles(condition):
    q = (np.arange(4) + 0.5) / 4
    rows, columns = scipy.stats.norm.ppf(q), scipy.stats.norm.ppf(q, 1.0, 3.0)
    wanted = (np.stack(np.meshgrid(rows, columns, indexing="ij"), -1) - (condition or 0)) / 2
    np.testing.assert_allclose(operations.manifold(Plane(), 4, condition), wanted, atol=1e-5)


def test_manifold_of_the_vae():
    model = cases.make("vae", latent_size=2, prior="normal")
    assert operations.manifold(model, 3).shape == (3, 3, *model.domain.shape)
    np.testing.assert_allclose(operations.manifold(model, 3)[1, 1], model.decode(tf.zeros([1, 2]))[0], atol=1e-5)


X = normal(2, 3)


@pytest.mark.parametrize("call, says", [
    (lambda: operations.interpolate(Affine(), X, X, 1), "num must be at least 2"),
    (lambda: operations.interpolate(Affine(), X, X, 3, "cubic"),
     "kind must be one of spherical, linear, found 'cubic'"),
    (lambda: operations.interpolate(Affine(), X, X[:1], 3), "same shape"),
    (lambda: operations.interpolate(object(), X, X, 3), "object does not encode"),
    (lambda: operations.traverse(object(), X, [0], [0.0]), "object does not encode"),
    (lambda: operations.arithmetic(object(), X, X, X), "object does not encode"),
    (lambda: operations.reconstruct(object(), X), "object does not encode"),
    (lambda: operations.manifold(object(), 3), "object does not decode"),
    (lambda: operations.manifold(Plane(), 0), "num must be at least 1"),
    (lambda: operations.manifold(Affine(), 3), "no prior"),
    (lambda: operations.manifold(Solid(), 3), "codes of shape .3,."),
])
def test_bad_arguments(call, says):
    with pytest.raises(ValueError, match=says):
        call()
