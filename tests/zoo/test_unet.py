"""The diffusion models' networks: shapes, reach, gradients, attention against a loop, and times that keep their
bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support import cases
from tests.support.diffusions import perturbed, steps
from zoo import random
from zoo.diffusion.ddpm import DDPM
from zoo.layers.timestep import sinusoids
from zoo.networks.unet import SelfAttention, UNet
from zoo.training.game import losses_and_gradients


@pytest.mark.parametrize("network", ["unet", "dense"])
@pytest.mark.parametrize("trained", [False, True])
def test_every_weight_gets_a_gradient(network, trained):
    model = cases.make("ddpm", network=network, multipliers=(1, 3), attention=(2,) if network == "unet" else ())
    model = perturbed(model) if trained else model
    _, gradients = losses_and_gradients(model.players()[0], cases.batch(model, 8), random.seed(0))
    for weight, gradient in zip(model.trainable_weights, gradients):
        assert gradient is not None and np.any(gradient != 0) and np.all(np.isfinite(gradient)), weight.path


@pytest.mark.parametrize("shape, multipliers, attention",
                         [((8, 8, 1), (1, 2), (4,)), ((7, 5, 2), (1, 1, 2), (2,)), ((28, 28, 1), (1, 1, 1, 1), (7,))])
def test_unet_keeps_the_shape_and_reads_time_and_distant_pixels(shape, multipliers, attention):
    model = perturbed(DDPM(shape, 5, 10, channels=4, multipliers=multipliers, attention=attention), 0.1)
    x = tf.random.stateless_normal([2, *shape], [0, 5])
    y = model.predict_eps(x, steps(2, 3))
    assert y.shape == x.shape
    assert np.max(np.abs(y - model.predict_eps(x, steps(2, 4)))) > 1e-4
    far = tf.tensor_scatter_nd_add(x, [[0, shape[0] - 1, shape[1] - 1, 0]], [3.0])
    change = np.abs(model.predict_eps(far, steps(2, 3)) - y)
    assert change[0, 0, 0].max() > 1e-6 and change[1].max() < 1e-5


def test_self_attention_equals_a_loop():
    layer = SelfAttention()
    layer.build((None, 2, 3, 4))
    layer.set_weights([np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(layer.get_weights())])
    x = tf.random.stateless_normal([1, 2, 3, 4], [0, 6])
    y, rows = layer(x).numpy().reshape(6, 4), x.numpy().reshape(6, 4)
    q, k, v = np.split(layer.norm(x).numpy().reshape(6, 4) @ layer.qkv.kernel.numpy(), 3, -1)
    for i in range(6):
        w = np.exp([q[i] @ k[j] / 2 for j in range(6)])
        np.testing.assert_allclose(y[i],
                                   rows[i] + (w @ v / w.sum()) @ layer.out.kernel.numpy() + layer.out.bias.numpy(),
                                   rtol=1e-3, atol=1e-4)


def test_sinusoids():
    time = tf.constant([0.0, 3.5])
    w = np.array([1, 1e-2, 1e-4])
    np.testing.assert_allclose(sinusoids(time, 6)[1], np.concatenate([np.sin(3.5 * w), np.cos(3.5 * w)]), rtol=1e-5)


def test_time_keeps_its_bits_under_mixed_precision():
    """In bfloat16 the times 997 and 998 would be equal."""
    with_policy = keras.DTypePolicy("mixed_bfloat16")
    net = UNet(1, 4, (1,), dtype=with_policy)
    net(tf.zeros([1, 4, 4, 1]), tf.zeros([1]))
    a, b = net.time(tf.constant([997.0])), net.time(tf.constant([998.0]))
    assert np.max(np.abs(tf.cast(a, tf.float32) - tf.cast(b, tf.float32))) > 1e-3
