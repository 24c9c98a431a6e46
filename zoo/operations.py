"""What follows from encoding and decoding: reconstructions, denoising, paths between two examples, sums of codes, and
pictures of what latents mean.

Written once over `zoo.model.Autoencoding` and `zoo.model.Denoising`; a code may have any shape [batch, ...].

K. Shoemake, Animating Rotation with Quaternion Curves, 1985 (slerp); T. White, Sampling Generative Networks, 2016,
arXiv:1609.04468 (why codes of a Gaussian prior are interpolated on the sphere: a straight line passes through norms
that the prior hardly draws).
"""

import inspect

import tensorflow as tf
import tensorflow_probability as tfp

from zoo.capabilities import Denoising
from zoo.domain import repeat_rows, take_rows

KINDS = ("spherical", "linear")
NEARLY_PARALLEL = 1e-4  # radians; below, sin(angle) loses digits and the arc and the chord agree to float32's precision


def reconstruct(model, x, condition=None):
    """Computes decode(encode(x)), [batch, *shape]. Raises ValueError if the model does not encode."""
    _need(model, "encode")
    return model.decode(model.encode(x, condition=condition), condition=condition)


def denoise(model, x, seeds=0, condition=None, **controls):
    """Returns (noisy, denoised), [batch, *shape] each: x with the model's corruption, row i's from `seeds[i]`, and what
    the model makes of that.

    `controls`: those of the model's `corrupt`. Raises ValueError if the model does not denoise, or for a control out of
    its range.
    """
    if not isinstance(model, Denoising):
        raise ValueError(f"{type(model).__name__} does not denoise: it knows no noise.")
    noisy = model.corrupt(x, seeds, condition, **controls)
    return noisy, model.denoise(noisy, condition=condition)


def blend(z0, z1, weight, kind="spherical"):
    """Computes the code at `weight` (float [batch]; 0 is z0, 1 is z1) on the way from z0 to z1, both [batch, ...].

    linear: (1 - w) z0 + w z1. spherical: (sin((1 - w) a) z0 + sin(w a) z1) / sin(a), a the angle between z0 and z1;
    linear for rows
    that have no arc: nearly parallel or opposite codes, or one that is zero. Raises ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, found {kind!r}.")
    shape = tf.shape(z0)
    z0, z1 = (tf.reshape(z, [shape[0], -1]) for z in (z0, z1))  # [B, D]
    weight = tf.cast(weight, z0.dtype)[:, None]
    z = (1.0 - weight) * z0 + weight * z1
    if kind == "spherical":
        # Half the angle from two chords: an arccos would lose the small angles.
        u0, u1 = (tf.math.divide_no_nan(v, tf.norm(v, axis=-1, keepdims=True)) for v in (z0, z1))
        angle = 2.0 * tf.atan2(tf.norm(u0 - u1, axis=-1, keepdims=True), tf.norm(u0 + u1, axis=-1, keepdims=True))
        some = tf.reduce_any(u0 != 0.0, -1, keepdims=True) & tf.reduce_any(u1 != 0.0, -1, keepdims=True)
        arc = some & (tf.sin(angle) > NEARLY_PARALLEL)
        angle = tf.where(arc, angle, 1.0)
        z = tf.where(arc, (tf.sin((1.0 - weight) * angle) * z0 + tf.sin(weight * angle) * z1) / tf.sin(angle), z)
    return tf.reshape(z, shape)


def between(model, x0, x1, weight, kind="spherical", condition=None):
    """Decodes the code at `weight` [batch] on the way from x0's code to x1's, [batch, *shape]."""
    _need(model, "encode")
    z0, z1 = (model.encode(x, condition=condition) for x in (x0, x1))
    return model.decode(blend(z0, z1, weight, kind), condition=condition)


def interpolate(model, x0, x1, num, kind="spherical", condition=None):
    """Decodes `num` codes at equal steps from x0's code to x1's, [batch, num, *shape]; the ends are the two
    reconstructions.

    Raises ValueError if the model does not encode, `num` is less than 2, `kind` is unknown or x0 and x1 differ in
    shape.
    """
    _need(model, "encode")
    if num < 2:
        raise ValueError(f"num must be at least 2, the two ends, found {num}.")
    if not x0.shape.is_compatible_with(x1.shape):
        raise ValueError(f"x0 and x1 must have the same shape, found {tuple(x0.shape)} and {tuple(x1.shape)}.")
    batch = tf.shape(x0)[0]
    z0, z1 = (tf.repeat(model.encode(x, condition=condition), num, axis=0) for x in (x0, x1))  # [B * num, ...]
    z = blend(z0, z1, tf.tile(tf.linspace(0.0, 1.0, num), [batch]), kind)
    x = model.decode(z, condition=repeat_rows(condition, num))
    return tf.reshape(x, tf.concat([[batch, num], tf.shape(x)[1:]], 0))


def traverse(model, x, latent, value, condition=None):
    """Decodes the code of x, one of whose numbers is another, [batch, *shape]: that of place `latent` (int32 [batch],
    of the code made flat) is `value` [batch].

    I. Higgins et al., beta-VAE, 2017: what changes along a latent is what it stands for. Raises ValueError if the model
    does not encode.
    """
    _need(model, "encode")
    z = model.encode(x, condition=condition)
    flat = tf.reshape(z, [tf.shape(z)[0], -1])
    there = tf.one_hot(latent, tf.shape(flat)[1], on_value=True, off_value=False, dtype=tf.bool)
    return model.decode(tf.reshape(tf.where(there, tf.cast(value, flat.dtype)[:, None], flat), tf.shape(z)),
                        condition=condition)


def arithmetic(model, a, b, c, condition=None):
    """Computes decode(z_a + z_b - z_c), [batch, *shape], of the codes of three examples a row: a, with what b has and c
    has not.

    T. White, 2016; D. Ha, D. Eck, A Neural Representation of Sketch Drawings, 2017, arXiv:1704.03477 (cat + (dog -
    pig)). Raises ValueError if the model does not encode.
    """
    _need(model, "encode")
    z_a, z_b, z_c = (model.encode(x, condition=condition) for x in (a, b, c))
    return model.decode(z_a + z_b - z_c, condition=condition)


def prior_of(model):
    """Returns p(z) of a model whose prior depends on nothing, or None."""
    return model.prior() if hasattr(model, "prior") and not inspect.signature(model.prior).parameters else None


def manifold(model, num, condition=None):
    """Decodes a grid of the prior's quantiles (i + 1/2) / num, [num, num, *shape]: equal steps of probability along
    both latents.

    The first latent grows down the rows, the second along the columns; `condition` is one for the whole
    picture, a label or one row [1, ...]. Raises ValueError if
    the model does not decode, `num` is less than 1, or its prior is not two independent latents with a quantile
    function.
    """
    _need(model, "decode")
    if num < 1:
        raise ValueError(f"num must be at least 1, found {num}.")
    prior = prior_of(model)
    if not isinstance(prior, tfp.distributions.Independent) or prior.event_shape != [2]:
        found = (
            f"codes of shape {tuple(prior.event_shape)}"
            if isinstance(prior, tfp.distributions.Distribution)
            else "no prior"
        )
        raise ValueError(f"a manifold needs a prior over two independent latents; {type(model).__name__} has {found}.")
    q = (tf.range(num, dtype=tf.float32) + 0.5) / num
    z = prior.distribution.quantile(tf.reshape(tf.stack(tf.meshgrid(q, q, indexing="ij"), -1), [num * num, 2]))
    if condition is not None and not isinstance(condition, dict) and not tf.convert_to_tensor(condition).shape.rank:
        condition = tf.reshape(condition, [1])
    x = model.decode(z, condition=take_rows(condition, tf.zeros([num * num], tf.int32)))
    return tf.reshape(x, tf.concat([[num, num], tf.shape(x)[1:]], 0))


def _need(model, capability):
    if not hasattr(model, capability):
        raise ValueError(f"{type(model).__name__} does not {capability}: it has no codes to work on.")
