"""Early stopping: a run's weights are those that were best on the validation split, and it ends when they have not been
beaten for a while.

What is kept is part of every checkpoint, so a resumed run selects as an uninterrupted one does.
"""

import math

import tensorflow as tf


class Selection:
    """The best weights so far.

    Args:
        config: the run's; its section `selection` says how often to look (`every`, in steps; 0: never) and how many
            looks without an improvement end the run (`patience`; 0: none do).
        weights: the model's, whose shapes the kept ones have.
    """

    def __init__(self, config, weights):
        self.every, self.patience = config.selection.every, config.selection.patience
        self._weights = (
            [tf.Variable(tf.zeros(w.shape, w.dtype), trainable=False) for w in weights] if self.every else []
        )
        self._value = tf.Variable(math.inf, dtype=tf.float64, trainable=False)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)

    def state(self):
        """Makes what a checkpoint holds of it: {name: variables}; nothing where nothing is selected."""
        return {"selected": [*self._weights, self._value, self._step]} if self.every else {}

    def improves(self, value):
        """Tells whether a validation loss is the lowest so far."""
        return value < float(self._value)

    def keep(self, value, step, weights):
        """Keeps the weights of a step, with their validation loss."""
        self._value.assign(value)
        self._step.assign(step)
        for kept, weight in zip(self._weights, weights, strict=True):
            kept.assign(weight)

    def over(self, step):
        """Tells whether the run should end at this step: `patience` looks went by without an improvement."""
        return bool(self.every and self.patience) and step - int(self._step) >= self.patience * self.every

    @property
    def step(self):
        """The step whose weights are kept, 0 for none."""
        return int(self._step)

    def weights(self, latest):
        """Reads the kept weights as arrays, or the latest where none were kept."""
        return [w.numpy() for w in self._weights] if self.every and self.step else latest
