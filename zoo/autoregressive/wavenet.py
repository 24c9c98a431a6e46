"""WaveNet: a waveform's likelihood as a product over its samples, all factors at once by a stack of dilated causal
convolutions.

A. van den Oord, S. Dieleman, H. Zen, K. Simonyan, O. Vinyals, A. Graves, N. Kalchbrenner, A. Senior, K. Kavukcuoglu,
WaveNet: A Generative Model for Raw Audio, 2016, arXiv:1609.03499. Amplitudes are mu-law codes, a category each.
Training and `log_prob` take one parallel pass; sampling takes one step per sample, with the layers' inputs remembered
in queues (`wavenet_sampler`; T. Le Paine et al. 2016, arXiv:1611.09482).
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.autoregressive.parts import wavenet_sampler
from zoo.autoregressive.parts.autoregressive import Autoregressive
from zoo.distributions import mu_law
from zoo.domain import condition_of
from zoo.layers.causal_convolution import CausalConv1D
from zoo.layers.gated_convolution import gated
from zoo.model import Domain
from zoo.paper import Paper

tfd = tfp.distributions


class GatedLayer(keras.layers.Layer):
    """z = tanh(W_f * h + V_f y) sigmoid(W_g * h + V_g y); gives (h + W_r z, z), the last layer h and z (figure 4)."""

    def __init__(self, channels, dilation, last, **kwargs):
        super().__init__(**kwargs)
        self.convolution = CausalConv1D(2 * channels, dilation)
        self.residual = None if last else keras.layers.Dense(channels, use_bias=False)

    def call(self, h, context=None):
        u = self.convolution(h)  # [T, B, 2C]
        if context is not None:  # [frames, B, 2C], each for as many steps
            shape = tf.shape(u)
            u = tf.reshape(tf.reshape(u, [context.shape[0], -1, *tf.unstack(shape)[1:]]) + context[:, None], shape)
        z = gated(u)  # equation 2
        return h if self.residual is None else h + self.residual(z), z


class WaveNet(Autoregressive):
    """log p(x) = sum_t log p(k_t | k_<t, y), k_t the mu-law code of x_t.

    Layer l = 0, 1, ... of a cycle has dilation 2^l, so p(k_t | ...) sees the 1 + cycles * (2^layers - 1) samples before
    it, its receptive field. The first sample is predicted from a learned start; the layers see zeros before it.

    Args:
        shape: (samples,) of a waveform, float32 on [-1, 1]; what is drawn are the amplitudes in the middle of the
            codes' bins.
        levels: number of codes.
        channels: features between layers, and of a layer's gate.
        layers: of a cycle.
        cycles: how often the dilations 1, 2, ..., 2^(layers - 1) come.
        skip_channels: of what all layers add up to.
        head_channels: between the two 1x1 convolutions that end in the logits.
        classes: number of class labels to condition on (globally: a bias of its own for every class in every layer), or
            None.
        features: (frames, features) to condition on (locally: a linear map of a frame in every layer, repeated over the
            frame's samples), or None.

    Raises:
        ValueError: if `shape` is not a waveform's or shorter than the receptive field, a number is too small, there are
            both classes and features, or the samples are no multiple of the frames.
    """

    paper = Paper(("van den Oord", "Dieleman", "Zen", "Simonyan", "Vinyals", "Graves", "Kalchbrenner", "Senior",
                   "Kavukcuoglu"), "WaveNet: A Generative Model for Raw Audio", 2016, "arXiv:1609.03499")

    # NOTE: the paper's first causal convolution is a lookup of the sample before; figure 4's residual 1x1 convolutions
    # have no bias here.

    def __init__(self, shape=(2048,), levels=256, channels=32, layers=10, cycles=1, skip_channels=128,
                 head_channels=128, classes=None, features: tuple | None = None, **kwargs):
        super().__init__(**kwargs)
        if len(shape) != 1:
            raise ValueError(f"shape must be a waveform's, (samples,), found {tuple(shape)}.")
        if (
            levels < 2
            or min(channels, layers, cycles, skip_channels, head_channels) < 1
            or (classes is not None and classes < 1)
        ):
            raise ValueError("levels must be at least 2, channels, layers, cycles, skip_channels, head_channels and "
                             f"classes at least 1, found {levels}, "
                             f"{channels}, {layers}, {cycles}, {skip_channels}, {head_channels} and {classes}.")
        if classes and features:
            raise ValueError(f"one of classes and features can be conditioned on, found classes {classes} and features "
                             f"{tuple(features)}.")
        self.shape, self.levels, self.channels, self.layers_per_cycle = tuple(shape), levels, channels, layers
        self.cycles = cycles
        self.skip_channels, self.head_channels, self.classes = skip_channels, head_channels, classes
        self.features = features and tuple(features)
        if self.receptive_field > shape[0]:
            raise ValueError(f"waveforms of {shape[0]} samples are shorter than the receptive field of "
                             f"{self.receptive_field}; take longer ones, or fewer "
                             f"layers or cycles than {layers} and {cycles}.")
        if features and (len(features) != 2 or min(features) < 1 or shape[0] % features[0]):
            raise ValueError(f"features must be (frames, features) with {shape[0]} samples a multiple of the frames, "
                             f"found {tuple(features)}.")
        self.start = self.levels  # the code of no sample
        self.embedding = self.add_weight((levels + 1, channels), _smooth, name="embedding")
        self.dilations = [2 ** layer for _ in range(cycles) for layer in range(layers)]
        self.stack = [GatedLayer(channels, d, last=i + 1 == len(self.dilations)) for i, d in enumerate(self.dilations)]
        # All layers' skip 1x1 convolutions and their sum are one product.
        self.head = [keras.layers.Dense(n) for n in (skip_channels, head_channels, levels)]
        inputs = classes or (features and features[1])
        self.conditioning = self.add_weight((inputs, len(self.stack) * 2 * channels), "random_normal",
                                            name="conditioning") if inputs else None
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, channels=self.channels, layers=self.layers_per_cycle,
                    cycles=self.cycles, skip_channels=self.skip_channels, head_channels=self.head_channels,
                    classes=self.classes, features=self.features)

    @property
    def domain(self):
        return Domain("waveform", self.shape, self.levels, range=(-1.0, 1.0),
                      condition=condition_of(self.classes, self.features))

    @property
    def receptive_field(self):
        """Number of samples before it that a factor sees."""
        return 1 + self.cycles * (2 ** self.layers_per_cycle - 1)

    def parameters(self, x, condition=None, seed=None):
        """Computes the logits of every p(k_t | k_<t), [B, T, levels]."""
        codes = tf.transpose(mu_law.encode(x, self.levels))  # [T, B]
        before = tf.concat([tf.fill(tf.shape(codes[:1]), self.start), codes[:-1]], 0)
        # The factor makes the gradient dense, as clipping and all-reducing want it.
        h = tf.gather(1.0 * tf.convert_to_tensor(self.embedding), before)  # [T, B, C]
        outputs = []
        for layer, context in zip(self.stack, self.per_layer(self.context(condition))):
            h, z = layer(h, context)
            outputs.append(z)
        h = tf.nn.relu(self.head[0](tf.concat(outputs, -1)))
        h = tf.nn.relu(self.head[1](tf.transpose(h, [1, 0, 2])))
        return tf.cast(self.head[2](h), tf.float32)

    def distribution(self, parameters):
        return tfd.Independent(mu_law.MuLaw(parameters), 1)

    def noise(self, seeds):
        return random.uniform_rows(seeds, self.shape)

    def from_noise(self, parameters, noise):
        return mu_law.decode(mu_law.from_noise(parameters, noise), self.levels)

    @tf.function(autograph=False, reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws a block of samples in each step of the loop, one after another; computed in float32 whatever the dtype
        policy."""
        return wavenet_sampler.generate(self, noise, condition, x, known)

    def context(self, condition):
        """Computes what the condition adds in the layers, [1 or frames, B, layers * 2C], or None."""
        self.domain.require(condition)
        if self.conditioning is None:
            return None
        kernel = tf.convert_to_tensor(self.conditioning)
        if self.classes:
            return tf.gather(1.0 * kernel, condition)[None]
        return tf.tensordot(tf.transpose(tf.ensure_shape(condition, [None, *self.features]), [1, 0, 2]), kernel, 1)

    def per_layer(self, context):
        """Splits what a condition adds into each layer's part, [..., 2C]; None for each, where there is no
        condition."""
        return [None] * len(self.stack) if context is None else tf.split(context, len(self.stack), axis=-1)


def _smooth(shape, dtype=None):
    """Returns sines and cosines of the code: neighbouring codes begin alike."""
    position = tf.linspace(0.0, 1.0, shape[0])[:, None]
    frequency = tf.range(1, shape[1] + 1, dtype=tf.float32)[None]
    return tf.cast(tf.cos(3.14159265 * position * frequency) * frequency ** -0.5, dtype)
