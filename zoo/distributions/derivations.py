"""Derivations of a grammar's strings as sequences of Categoricals over its rules, each over those alone that rewrite
the leftmost nonterminal.

M. J. Kusner, B. Paige, J. M. Hernandez-Lobato, Grammar Variational Autoencoder, 2017, arXiv:1703.01925, section 3.2.
"""

import numpy as np
import tensorflow as tf

from zoo.distributions import categories


class Derivations:
    """What may stand in a sequence of T rules, `done` after the last of them: in parallel of a known one, step by step
    of one that is drawn.

    Args:
        grammar: a `zoo.distributions.grammar.Grammar`.
        length: T.
        finish: rules after which what is left to rewrite takes more steps than there are may not stand: each derivation
            comes to its end. NOTE: the paper has no such mask; without it the sequences that are cut off have
            probability, too.

    Raises:
        ValueError: if the grammar has no derivation of at most T rules.
    """

    def __init__(self, grammar, length, finish=True):
        shortest = grammar.shortest[grammar.start]
        if shortest > length:
            raise ValueError(f"the shortest derivation of the grammar takes {shortest} rules, which a length of "
                             f"{length} does not hold.")
        self.grammar, self.length, self.finish = grammar, length, finish
        self.width = grammar.pushed.shape[1]
        # What is left to rewrite takes a step for each nonterminal, so that with `finish` there are never more of them
        # than steps.
        self.depth = length if finish else 1 + length * (self.width - 1)

    def allowed(self, x):
        """Returns whether rule k may stand at place t after x_<t: bool [batch, T, K + 1] of x [batch, T]. Nothing is
        promised of what follows a wrong rule.
        """
        grammar, steps = self.grammar, np.arange(self.length)
        count = tf.gather(grammar.count, x)
        # of the stack before step t
        height = 1 + tf.cumsum(count - tf.cast(x != grammar.done, tf.int32), axis=1, exclusive=True)
        # What is on top at t was put there by the last step before t whose own symbol lay at that height or below.
        source = (height[:, None, :] <= height[:, :, None]) & (steps < steps[:, None])
        source = tf.reduce_max(tf.where(source, steps.astype(np.int32), -1), axis=-1)  # [batch, T]
        first, source = source < 0, tf.maximum(source, 0)
        place = tf.clip_by_value(height - tf.gather(height, source, batch_dims=1), 0, self.width - 1)
        top = tf.gather(grammar.pushed.ravel(), tf.gather(x, source, batch_dims=1) * self.width + place)
        top = tf.where(height <= 0, grammar.nothing, tf.where(first, grammar.start, top))
        return self._may(top[..., None], self._need(x)[..., None], steps[:, None])

    def draw(self, logits, noise):
        """Draws the derivations of a machine with a stack of nonterminals, of which the top is rewritten, each rule
        drawn from those that may stand by inverting its Categorical at a uniform number: int32 [batch, T] of logits
        [batch, T, K + 1] and noise [batch, T].
        """
        return self._derive(logits, noise)

    def likeliest(self, logits):
        """Does the same with the likeliest rule of those that may stand at every step: int32 [batch, T]."""
        return self._derive(logits, None)

    @tf.function(reduce_retracing=True)  # a loop is slow in eager mode; inside a graph it becomes part of it
    def _derive(self, logits, noise):
        grammar, batch, places = self.grammar, tf.shape(logits)[0], np.arange(self.depth, dtype=np.int32)
        logits = tf.transpose(logits, [1, 0, 2])  # [T, batch, K + 1]
        noise = None if noise is None else tf.transpose(noise)

        def step(t, stack, height, need, rules):
            top = tf.gather(stack, tf.maximum(height - 1, 0), batch_dims=1)
            top = tf.where(height > 0, top, grammar.nothing)
            may = tf.where(self._may(top[:, None], need[:, None], t), logits[t], -float("inf"))
            rule = tf.argmax(may, -1, tf.int32) if noise is None else categories.from_noise(may, noise[t])
            base = tf.maximum(height - 1, 0)
            count = tf.gather(grammar.count, rule)
            place = places - base[:, None]  # in what is pushed
            pushed = tf.gather(grammar.pushed.ravel(),
                               rule[:, None] * self.width + tf.clip_by_value(place, 0, self.width - 1))
            stack = tf.where((place >= 0) & (place < count[:, None]), pushed, stack)
            return t + 1, stack, base + count, need + tf.gather(grammar.gain, rule), rules.write(t, rule)

        stack, one = tf.fill([batch, self.depth], np.int32(grammar.start)), tf.ones([batch], tf.int32)
        state = (
            0,
            stack,
            one,
            one * int(grammar.shortest[grammar.start]),
            tf.TensorArray(tf.int32, self.length, element_shape=[None]),
        )
        rules = tf.while_loop(lambda t, *_: t < self.length, step, state, parallel_iterations=1)[-1]
        return tf.ensure_shape(tf.transpose(rules.stack()), [None, self.length])

    def complete(self, x):
        """Returns whether nothing is left to rewrite after the rules of x [batch, T], which are derivations: bool
        [batch].
        """
        return tf.reduce_sum(tf.gather(self.grammar.gain, x), axis=1) == -int(self.grammar.shortest[self.grammar.start])

    def _need(self, x):
        """Rules that the shortest way to the end takes before each step, [batch, T]."""
        return self.grammar.shortest[self.grammar.start] + tf.cumsum(
            tf.gather(self.grammar.gain, x), axis=1, exclusive=True
        )

    def _may(self, top, need, t):
        may = self.grammar.left == top
        return may & (need + self.grammar.gain <= self.length - 1 - t) if self.finish else may
