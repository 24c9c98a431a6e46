"""A game of two players on points in the plane, small enough to be played by hand: what a step does is tested on it."""

import keras
import tensorflow as tf

from zoo import random
from zoo.layers.following import Followed, collect, follow
from zoo.model import Domain, Model, Player


@keras.saving.register_keras_serializable("zoo")
class Centred(keras.layers.Layer):
    """x minus the mean of the batch; the mean seen so far, and how many batches that was, follow."""

    def build(self, input_shape):
        self.mean = self.add_weight((input_shape[-1],), "zeros", trainable=False, name="mean")
        self.seen = self.add_weight((), "zeros", trainable=False, dtype="int32", name="seen")

    def call(self, x):
        mean = tf.reduce_mean(x, 0)
        follow(self.mean, 0.5 * self.mean + 0.5 * mean)
        follow(self.seen, self.seen + 1)
        return x - mean


@keras.saving.register_keras_serializable("zoo")
class Duel(Model):
    """`guess` moves w towards the batch's points from where noise and the pool put it; `answer` moves v towards w.

    Args:
        updates: moves of `guess` in a step. stop: of `answer`, or None. pool: whether `guess` follows a pool of two
            past points that each replica has for itself.
    """

    def __init__(self, updates=1, stop=None, pool=False, **kwargs):
        super().__init__(**kwargs)
        self.updates, self.stop, self.pool = updates, stop, pool
        self.centred = Centred()
        self.w = self.add_weight((2,), "ones", name="w")
        self.v = self.add_weight((2,), "zeros", name="v")
        if pool:
            self.past = self.add_weight((2, 2), "zeros", trainable=False, name="past")
        self.build()

    def get_config(self):
        return dict(updates=self.updates, stop=self.stop, pool=self.pool)

    @property
    def domain(self):
        return Domain("real", (2,))

    def call(self, batch):
        return self.centred(batch) * self.w + self.v

    def players(self):
        pool = [Followed(self.past, "each")] if self.pool else []
        follows = [self.centred.mean, Followed(self.centred.seen, "same"), *pool]
        return (Player("guess", [self.w], self.guess, updates=self.updates, scheduled=True, follows=follows),
                Player("answer", [self.v], self.answer, stop=self.stop))

    def guess(self, batch, seed, step=None):
        with collect() as collected:
            centred = self.centred(batch)
            if self.pool:
                follow(self.past, tf.concat([self.past[1:], batch[:1]], 0))
            noise = random.fold_in(seed, 1)
            target = batch + 0.1 * tf.random.stateless_normal(tf.shape(batch), noise)
            target += 0.3 * tf.reduce_mean(self.past, 0) if self.pool else 0.0
            terms = {"distance": tf.reduce_sum((self.w - target) ** 2, -1),
                     "spread": 0.1 * tf.reduce_sum((self.w * centred) ** 2, -1)}
        return terms, collected.values(self.players()[0].follows)

    def answer(self, batch, seed):
        return {"gap": tf.reduce_sum((self.v - tf.stop_gradient(self.w)) ** 2, -1) + 0.0 * batch[:, 0]}


def points(num, seed=0):
    """`num` points of two numbers each, float32."""
    return tf.random.stateless_normal([num, 2], [seed, 7]) + tf.constant([1.0, -2.0])
