"""The textbook sampler of an autoregressive model: the whole network once for every place (and channel), what the
cached samplers are held against."""

import math

import tensorflow as tf


@tf.function(reduce_retracing=True)
def naive_sample(model, noise, condition=None, x=None, known=None, steps=None):
    """What `model.generate` draws from the same arguments, by a full forward pass for every place and each of its
    passes; `steps`: only so many."""
    domain = model.domain
    size = math.prod(domain.places)
    order = tf.constant(model.order, tf.int32)
    image = len(domain.shape) > len(domain.places)
    places = tf.reshape(tf.range(size), [*domain.places, 1] if image else domain.places)
    known = known[..., None] if known is not None and image else known
    start = tf.zeros(tf.concat([tf.shape(tf.nest.flatten(noise)[0])[:1], domain.shape], 0), domain.dtype)

    def step(i, drawn):
        new = model.from_noise(model.parameters(drawn, condition), noise)
        new = new if known is None else tf.where(known, x, new)
        return i + 1, tf.where(places == order[i // model.passes], new, drawn)

    shape = tf.TensorShape([None, *domain.shape])
    steps = size * model.passes if steps is None else steps
    return tf.while_loop(lambda i, _: i < steps, step, (0, start), shape_invariants=(tf.TensorShape([]), shape))[1]
