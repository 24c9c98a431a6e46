"""Mixtures of Gaussians or of logistics, one for each real number: the conditionals of an autoregressive model of real
values.

B. Uria, I. Murray, H. Larochelle, RNADE: The real-valued neural autoregressive density-estimator, 2013,
arXiv:1306.0186. Parameters are [..., 3 * K] for K components: their logits, their locations, then the logarithms of
their scales.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random

tfd = tfp.distributions

KINDS = {"gaussian": tfd.Normal, "logistic": tfd.Logistic}
# no component is narrower than exp(-7) = 0.0009: a density without a floor rises without bound on a repeated value
LOG_SCALE_FLOOR = -7.0


def require(kind, components):
    """Raises ValueError for a kind that there isn't, or fewer than one component."""
    if kind not in KINDS or components < 1:
        raise ValueError(f"a mixture is one of {sorted(KINDS)} with at least one component, found {kind!r} with "
                         f"{components}.")


def mixture(parameters, kind="gaussian"):
    """Returns p(x) = sum_k softmax(logits)_k p_k((x - loc_k) / scale_k) / scale_k, of batch shape [...] for parameters
    [..., 3 * K].
    """
    logits, loc, scale = _split(parameters)
    return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), KINDS[kind](loc, scale))


def mean(parameters):
    """Computes the mean of each mixture, [...]: sum_k softmax(logits)_k loc_k."""
    logits, loc, _ = _split(parameters)
    return tf.reduce_sum(tf.nn.softmax(logits) * loc, -1)


def noise_rows(seeds, shape, components):
    """Draws the noise of `from_noise` for one example per row, [batch, *shape, K + 1]: a Gumbel for each component,
    then a uniform on (0, 1).
    """
    # Uniforms are multiples of 2^-23: half a step more makes them symmetric, and neither logarithm nor quantile is
    # infinite.
    u = random.uniform_rows(seeds, (*shape, components + 1)) + 2.0 ** -24
    return tf.concat([-tf.math.log(-tf.math.log(u[..., :-1])), u[..., -1:]], -1)


def from_noise(parameters, noise, kind="gaussian"):
    """Draws values [...] by inverting the noise: the component of the largest logit + Gumbel, then its quantile of the
    uniform.
    """
    logits, loc, scale = _split(parameters)
    chosen = tf.argmax(logits + noise[..., :-1], axis=-1, output_type=tf.int32)[..., None]
    loc, scale = (tf.gather(t, chosen, axis=-1, batch_dims=t.shape.rank - 1)[..., 0] for t in (loc, scale))
    u = noise[..., -1]
    return loc + scale * (tf.math.ndtri(u) if kind == "gaussian" else tf.math.log(u) - tf.math.log1p(-u))


def _split(parameters):
    logits, loc, log_scale = tf.split(parameters, 3, axis=-1)
    return logits, loc, tf.exp(tf.maximum(log_scale, LOG_SCALE_FLOOR))
