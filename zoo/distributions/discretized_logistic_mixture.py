"""The discretized mixture of logistics: a logistic density on [-1, 1] collected into equal bins, one per level, the
outer two reaching to infinity.

All channels of a pixel share the mixture's component; green's mean is linear in red, blue's in red and green.
T. Salimans, A. Karpathy, X. Chen, D. P. Kingma, PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
Likelihood and Other Modifications, 2017, arXiv:1701.05517, sections 2.1 and 2.2.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random

tfd = tfp.distributions
MIN_LOG_SCALE = -7.0  # of a logistic on [-1, 1], as in the authors' code: a seventh of one of 256 levels


def size(channels):
    """Parameters of one component: its logit, a mean and a log-scale for each channel, a coefficient for each pair of
    channels."""
    return 1 + 2 * channels + channels * (channels - 1) // 2


class DiscretizedLogisticMixture(tfd.Distribution):
    """P(x) = sum_k pi_k prod_c [sigma((v_c + 1/(K-1) - m_kc) / s_kc) - sigma((v_c - 1/(K-1) - m_kc) / s_kc)] with v =
    2x/(K-1) - 1, x in 0..K-1.

    The first sigma is 1 for the last level, the second is 0 for the first. m_kc = loc_kc + sum over d < c of
    coefficient_kcd v_d.

    Args:
        logits: [..., M], log pi up to a constant.
        loc, log_scale: [..., M, C], on [-1, 1]; log-scales below -7 count as -7.
        coefficients: [..., M, C (C - 1) / 2], in the order (1, 0), (2, 0), (2, 1); None where C is 1.
        levels: K, at least 2.

    Raises:
        ValueError: if there are fewer than two levels, or the numbers of channels and coefficients don't fit.
    """

    def __init__(self, logits, loc, log_scale, coefficients=None, levels=256, validate_args=False, allow_nan_stats=True,
                 name="DiscretizedLogisticMixture"):
        parameters = dict(locals())
        with tf.name_scope(name):
            self._logits, self._loc, self._log_scale = (tf.convert_to_tensor(t, tf.float32)
                                                        for t in (logits, loc, log_scale))
            channels = self._loc.shape[-1]
            self._coefficients = None if coefficients is None else tf.convert_to_tensor(coefficients, tf.float32)
            found = 0 if coefficients is None else self._coefficients.shape[-1]
            if levels < 2 or found != channels * (channels - 1) // 2:
                raise ValueError(f"levels must be at least 2, and {channels} channels have "
                                 f"{channels * (channels - 1) // 2} coefficients; "
                                 f"found {levels} levels and {found} coefficients.")
            self._levels, self._channels = levels, channels
            super().__init__(tf.int32, tfd.NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters=parameters,
                             name=name)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        properties = tfp.util.ParameterProperties
        return dict(logits=properties(event_ndims=1), loc=properties(event_ndims=2),
                    log_scale=properties(event_ndims=2), coefficients=properties(event_ndims=2),
                    levels=properties(event_ndims=None, shape_fn=None))

    logits = property(lambda self: self._logits)
    loc = property(lambda self: self._loc)
    log_scale = property(lambda self: self._log_scale)
    coefficients = property(lambda self: self._coefficients)
    levels = property(lambda self: self._levels)

    def _event_shape_tensor(self):
        return tf.constant([self._channels])

    def _event_shape(self):
        return tf.TensorShape([self._channels])

    def _log_prob(self, x):
        v = _centre(x, self._levels)[..., None, :]  # [..., 1, C]
        # means: [..., M, C]
        means = tf.stack([self._mean_of(c, tf.unstack(v, axis=-1)) for c in range(self._channels)], axis=-1)
        inverse = tf.exp(-tf.maximum(self._log_scale, MIN_LOG_SCALE))
        half, x = 1.0 / (self._levels - 1), x[..., None, :]
        upper, lower = (v - means + half) * inverse, (v - means - half) * inverse
        # With a - b = 2 half / s in hand, log(sigma(a) - sigma(b)) = log sigma(a) + log sigma(-b) + log(1 - exp(b - a))
        # never cancels, however narrow the bin or far its tail; an outer bin is the factor that is left.
        below = tf.where(x == self._levels - 1, 0.0, tf.math.log_sigmoid(upper))
        above = tf.where(x == 0, 0.0, tf.math.log_sigmoid(-lower))
        width = tf.where((x == 0) | (x == self._levels - 1), 0.0, tf.math.log(-tf.math.expm1(-2.0 * half * inverse)))
        terms = tf.nn.log_softmax(self._logits) + tf.reduce_sum(below + above + width, axis=-1)  # [..., M]
        return tf.reduce_logsumexp(terms, axis=-1)

    def _mean_of(self, c, v):
        """Computes m_c given the channels before it, v: a list of [..., 1]."""
        start = c * (c - 1) // 2
        return sum((self._coefficients[..., start + d] * v[d] for d in range(c)),
                   self._loc[..., c] + tf.zeros_like(v[c]))

    def _sample_n(self, n, seed=None):
        shape = tf.concat([[n], self.batch_shape_tensor()], 0)
        first, second = tfp.random.split_seed(tfp.random.sanitize_seed(seed))
        gumbels = tfd.Gumbel(0.0, 1.0).sample(tf.concat([shape, [self._logits.shape[-1]]], 0), seed=first)
        logistics = tfd.Logistic(0.0, 1.0).sample(tf.concat([shape, [self._channels]], 0), seed=second)
        return self.from_noise(tf.concat([gumbels, logistics], -1))

    def from_noise(self, noise):
        """Makes x of M Gumbels and C standard logistics, [..., M + C]: the component, then channel by channel, each
        rounded before the next is drawn.
        """
        components = self._logits.shape[-1]
        parts = [self._logits[..., None], self._loc, self._log_scale] + (
            [] if self._coefficients is None else [self._coefficients]
        )
        return from_noise(tf.concat(parts, -1), noise[..., :components], noise[..., components:], self._levels)

    def _mean(self):
        """Computes sum_x P(x) x over all K^C values: float32, in levels. Raises ValueError where there are more than
        65,536 of them.
        """
        number = self._levels**self._channels
        if number > 2**16:
            raise ValueError(f"the mean is a sum over all values, and {self._levels} levels of {self._channels} "
                             f"channels have {number}.")
        # values: [K^C, C]
        values = tf.range(number)[:, None] // [self._levels**c for c in range(self._channels)] % self._levels
        # log_prob: [K^C, ...]
        log_prob = self._log_prob(tf.reshape(values, [number, *[1] * self._logits.shape[:-1].rank, self._channels]))
        return tf.tensordot(tf.exp(log_prob), tf.cast(values, tf.float32), [[0], [0]])


def mixture(parameters, levels, channels, event_ndims=2):
    """Returns the distribution of an image, given a network's output [..., height, width, M * size(channels)]; its
    coefficients pass through tanh.
    """
    parameters = _by_component(parameters, channels)
    logits, loc, log_scale, coefficients = tf.split(parameters,
                                                    [1, channels, channels, size(channels) - 1 - 2 * channels], axis=-1)
    coefficients = tf.tanh(coefficients) if channels > 1 else None
    return tfd.Independent(DiscretizedLogisticMixture(logits[..., 0], loc, log_scale, coefficients, levels),
                           event_ndims)


def noise_rows(seeds, shape, components):
    """Draws the noise of `draw` for one image per row: M Gumbels and C standard logistics for each pixel, [batch,
    height, width, M + C].
    """
    # The smallest uniform is kept away from 0, and 1 - u from 0, where the logarithms would be infinite.
    u = random.uniform_rows(seeds, (*shape[:-1], components + shape[-1]), minval=1e-20)
    logistics = tf.math.log(u[..., components:]) - tf.math.log1p(-u[..., components:])
    return tf.concat([-tf.math.log(-tf.math.log(u[..., :components])), logistics], -1)


def draw(parameters, noise, levels, channels):
    """Pixels int32 [..., channels] from a network's output and the noise of `noise_rows`, both [..., n]."""
    parameters = _by_component(parameters, channels)
    components = parameters.shape[-2]
    return from_noise(parameters, noise[..., :components], noise[..., components:], levels, tf.tanh)


def from_noise(parameters, gumbels, logistics, levels, squash=tf.identity):
    """Pixels from parameters [..., M, size(C)]; the chosen component's coefficients pass through `squash`."""
    channels = logistics.shape[-1]
    chosen = tf.one_hot(tf.argmax(parameters[..., 0] + gumbels, axis=-1), parameters.shape[-2])
    chosen = tf.reduce_sum(parameters * chosen[..., None], axis=-2)  # [..., size(C)]
    loc, log_scale, coefficients = tf.split(chosen[..., 1:], [channels, channels, -1], axis=-1)
    v = loc + tf.exp(tf.maximum(log_scale, MIN_LOG_SCALE)) * logistics
    coefficients = tf.unstack(squash(coefficients), axis=-1) if channels > 1 else []
    pixel = []
    for c, value in enumerate(tf.unstack(v, axis=-1)):
        for d in range(c):
            value += coefficients[c * (c - 1) // 2 + d] * _centre(pixel[d], levels)
        # What a level's bin collects is what rounds to it; the outer levels take all beyond.
        pixel.append(tf.clip_by_value(tf.round((value + 1.0) * (0.5 * (levels - 1))), 0.0, levels - 1.0))
    return tf.cast(tf.stack(pixel, axis=-1), tf.int32)


def _centre(x, levels):
    return tf.cast(x, tf.float32) * (2.0 / (levels - 1)) - 1.0


def _by_component(parameters, channels):
    """Reshapes [..., M * size] to [..., M, size]."""
    return tf.reshape(parameters,
                      [*tf.unstack(tf.shape(parameters))[:-1], parameters.shape[-1] // size(channels), size(channels)])
