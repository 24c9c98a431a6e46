"""Spectral normalisation: sigma against singular values, gradients with u and v held, a power iteration a move."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.layers.following import collect
from zoo.layers.spectral_normalization import SpectralNormalization

LAYERS = {"dense": (lambda: keras.layers.Dense(5, activation="tanh"), (3, 7)),
          "convolution": (lambda: keras.layers.Conv2D(5, 3, 2, "same"), (2, 4, 6, 3)),
          "transposed": (lambda: keras.layers.Conv2DTranspose(5, 3, 2, "same"), (2, 4, 6, 3))}


def make(kind, **arguments):
    """(layer, x): built, with all weights different from zero."""
    keras.utils.set_random_seed(3)
    inner, shape = LAYERS[kind]
    layer = SpectralNormalization(inner(), **arguments)
    x = tf.random.stateless_normal(shape, [1, 2])
    layer(x)
    layer.layer.bias.assign(np.linspace(-1.0, 1.0, 5))
    return layer, x


def matrix(kind, kernel):
    """A kernel as numpy's [the rest, outputs], in float64."""
    kernel = np.asarray(kernel, np.float64)
    return (np.swapaxes(kernel, -1, -2) if kind == "transposed" else kernel).reshape(-1, 5)


def moved(layer, x, calls=1):
    with collect() as collected:
        for _ in range(calls):
            layer(x)
    return collected.values(layer.followed())[0]


def iteration(kind, layer):
    """(v, u', sigma) of one power iteration by numpy."""
    W, u = matrix(kind, layer.layer.kernel), layer.u.numpy().astype(np.float64)
    v = W @ u / np.linalg.norm(W @ u)
    after = W.T @ v / np.linalg.norm(W.T @ v)
    return v, after, v @ W @ after


@pytest.mark.parametrize("kind", LAYERS)
def test_after_many_moves_sigma_is_the_largest_singular_value(kind):
    layer, x = make(kind)
    largest = np.linalg.svd(matrix(kind, layer.layer.kernel), compute_uv=False)[0]
    assert abs(layer.sigma() - largest) > 1e-3 * largest
    for _ in range(100):
        layer.u.assign(moved(layer, x))
    np.testing.assert_allclose(layer.sigma(), largest, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.svd(matrix(kind, layer.kernel()), compute_uv=False)[0], 1.0, rtol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_move_is_one_power_iteration_however_often_the_layer_is_called(kind):
    layer, x = make(kind)
    before, kernel = layer.u.numpy(), layer.layer.kernel.numpy()
    _, after, sigma = iteration(kind, layer)
    np.testing.assert_allclose(layer.sigma(), sigma, rtol=1e-5)
    once, twice = moved(layer, x), moved(layer, x, calls=2)
    np.testing.assert_allclose(once, after, atol=1e-6)
    np.testing.assert_array_equal(once, twice)
    np.testing.assert_array_equal(layer.u, before)  # a loss moves nothing
    np.testing.assert_array_equal(layer.layer.kernel, kernel)


@pytest.mark.parametrize("kind", LAYERS)
def test_the_output_is_the_layers_at_the_divided_kernel(kind):
    layer, x = make(kind)
    plain = LAYERS[kind][0]()
    plain.build(x.shape)
    plain.kernel.assign(layer.layer.kernel / np.float32(iteration(kind, layer)[2]))
    plain.bias.assign(layer.layer.bias)
    np.testing.assert_allclose(layer(x), plain(x), atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_the_gradient_goes_through_sigma_and_not_through_its_vectors(kind):
    layer, x = make(kind)
    v, u, _ = (tf.constant(value, tf.float32) for value in iteration(kind, layer))
    W = tf.constant(layer.layer.kernel)
    with tf.GradientTape() as tape:
        mine = tf.reduce_sum(layer(x) ** 2)
    found = tape.gradient(mine, [layer.layer.kernel.value, layer.layer.bias.value])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(W)
        rows = tf.reshape(tf.linalg.matrix_transpose(W) if kind == "transposed" else W, [-1, 5])
        sigma = tf.einsum("i,io,o->", v, rows, u)
        with keras.StatelessScope([(layer.layer.kernel, W / sigma)]):
            through = tf.reduce_sum(layer.layer(x) ** 2)
        with keras.StatelessScope([(layer.layer.kernel, W / tf.stop_gradient(sigma))]):
            past = tf.reduce_sum(layer.layer(x) ** 2)
    expected, without = tape.gradient(through, W), tape.gradient(past, W)
    np.testing.assert_allclose(found[0], expected, atol=1e-4 * np.abs(expected).max())
    assert np.abs(found[0] - without).max() > 0.01 * np.abs(expected).max() and np.any(found[1] != 0.0)


def test_settling_is_as_good_as_many_moves():
    layer, _ = make("convolution")
    layer.settle()
    largest = np.linalg.svd(matrix("convolution", layer.layer.kernel), compute_uv=False)[0]
    np.testing.assert_allclose(layer.sigma(), largest, rtol=1e-4)
    settled = layer.u.numpy()
    layer.settle()
    np.testing.assert_allclose(layer.u, settled, atol=1e-2)


def test_a_kernel_of_zeros_stays_what_it_is_and_keeps_its_vector():
    layer, x = make("dense")
    layer.layer.kernel.assign(tf.zeros_like(layer.layer.kernel))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(layer(x))
    np.testing.assert_array_equal(layer.kernel(), np.zeros([7, 5]))
    assert np.all(np.isfinite(tape.gradient(y, layer.layer.kernel.value)))
    np.testing.assert_array_equal(moved(layer, x), layer.u)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_folded_layer_divides_no_more(kind):
    """What is traced between `fold` and `unfold` reads the divided kernel as a weight, not kernel or vector."""
    layer, x = make(kind)
    expected = layer(x)
    layer.fold()
    folded = tf.function(lambda: layer(x)).get_concrete_function()
    layer.unfold()
    read = {variable.name for variable in folded.graph.variables}
    assert len(read) == 2 and not any(part in name for name in read for part in ("/kernel", "/u"))
    assert not {"L2Loss", "MatVec", "Rsqrt", "RealDiv"} & {op.type for op in folded.graph.get_operations()}
    np.testing.assert_allclose(folded(), expected, atol=1e-6)
    layer.layer.kernel.assign_add(tf.ones_like(layer.layer.kernel))
    assert np.abs(layer(x) - expected).max() > 1e-2


def test_in_a_sequential_model_that_is_saved_and_loaded(tmp_path):
    convolution = keras.layers.Conv2D(5, 3, 2, "same", activation="relu")
    model = keras.Sequential([keras.Input([4, 6, 3]), SpectralNormalization(convolution), keras.layers.Flatten(),
                              SpectralNormalization(keras.layers.Dense(2))])
    assert len(model.trainable_weights) == 4
    assert [w.path.split("/")[-1] for w in model.non_trainable_weights] == ["u", "u"]
    x = tf.random.stateless_normal([2, 4, 6, 3], [1, 2])
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), model(x))


def test_mixed_precision_divides_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer, x = make("dense")
    finally:
        keras.config.set_dtype_policy("float32")
    assert layer(x).dtype == tf.bfloat16 and layer.kernel().dtype == moved(layer, x).dtype == tf.float32
    np.testing.assert_allclose(layer.sigma(), iteration("dense", layer)[2], rtol=1e-5)


@pytest.mark.parametrize("inner", [keras.layers.Flatten, lambda: keras.layers.Embedding(3, 2),
                                   lambda: keras.layers.DepthwiseConv2D(3)])
def test_bad_layers(inner):
    with pytest.raises(TypeError, match="layer must be one of Dense, Conv1D"):
        SpectralNormalization(inner())
