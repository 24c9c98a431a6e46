"""Bernoulli pixels are TFP's, by fewer operations."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from zoo.distributions import pixels

tfd = tfp.distributions
LOGITS = tf.constant([-60.0, -20.0, -1.5, 0.0, 1e-3, 3.0, 18.0, 60.0])
EVENTS = np.array([0.0, 0.3, 1.0], np.float32)[:, None]  # cross-entropy of grey values takes what lies between


def test_log_prob_and_its_gradient_are_tfp_s():
    found = []
    for bernoulli in (pixels.Bernoulli, tfd.Bernoulli):
        with tf.GradientTape() as tape:
            tape.watch(LOGITS)
            total = bernoulli(logits=LOGITS, dtype=tf.float32).log_prob(EVENTS)
        found.append((total, tape.gradient(total, LOGITS)))
    (ours, our_gradient), (theirs, their_gradient) = found
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=2e-6)
    np.testing.assert_allclose(our_gradient, their_gradient, rtol=1e-5, atol=1e-6)


def test_integers_probabilities_copies_and_slices():
    ours, theirs = (bernoulli(probs=[0.2, 0.7]) for bernoulli in (pixels.Bernoulli, tfd.Bernoulli))
    np.testing.assert_array_equal(ours.log_prob([1, 0]), theirs.log_prob([1, 0]))
    given = pixels.Bernoulli(logits=LOGITS)
    assert isinstance(given[2:4], pixels.Bernoulli) and isinstance(given.copy(logits=[1.0]), pixels.Bernoulli)
    np.testing.assert_allclose(given[2:4].log_prob([1, 0]), tfd.Bernoulli(logits=LOGITS[2:4]).log_prob([1, 0]),
                               rtol=1e-6)
    assert tf.function(lambda: pixels.pixels(tf.zeros([3, 2, 2, 1]), 2).log_prob(tf.ones([2, 2, 1])))().shape == (3,)
