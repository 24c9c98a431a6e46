"""Explicit Runge-Kutta methods: what one step is, for every row at its own time and with its own step.

k_i = v(t + c_i h, x + h sum_j a_ij k_j),  x(t + h) = x + h sum_i b_i k_i.

E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I, 1993, chapter II; J. R. Dormand, P. J.
Prince, A family of embedded Runge-Kutta formulae, 1980.

A velocity is a pure function v(t, x): t [batch], x a tensor [batch, ...] or a structure of such (an example and its
log-density, say), and so is what it returns. Rows do not know one another; a condition, a mask or a fixed noise is what
the function closes over.
"""

from typing import NamedTuple

import tensorflow as tf


class Tableau(NamedTuple):
    """A method's numbers: order, c [s], a (a lower triangle's rows), b [s]; its error's weights [s] if adaptive."""

    order: int
    c: tuple
    a: tuple
    b: tuple
    error: tuple = ()


EULER = Tableau(1, (0.0,), ((),), (1.0,))
HEUN = Tableau(2, (0.0, 1.0), ((), (1.0,)), (0.5, 0.5))
RK4 = Tableau(4, (0.0, 0.5, 0.5, 1.0), ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6))
# Its last velocity is the first one of the next step; its error is the difference to a solution of order 4.
DORMAND_PRINCE = Tableau(
    5, (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
    ((), (1 / 5,), (3 / 40, 9 / 40), (44 / 45, -56 / 15, 32 / 9),
     (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
     (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
     (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0),
    (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40))


class Solution(NamedTuple):
    """x: the state at each row's end; evaluations: how often the velocity was needed for each row, int32 [batch]."""

    x: object
    evaluations: tf.Tensor


def stages(velocity, tableau, t, h, x, first=None):
    """The velocities k_1..k_s of a step of h [batch] from x at t [batch], of which `first` is k_1 if it is known."""
    found = [velocity(t, x) if first is None else first]
    for c, row in zip(tableau.c[1:], tableau.a[1:]):
        found.append(velocity(t + c * h, moved(x, h, row, found)))
    return found


def moved(x, h, weights, velocities):
    """x + h sum_i w_i k_i, of which the weights that are zero cost nothing."""
    return tf.nest.map_structure(lambda x, *k: x + per_row(h, x) * _sum(weights, k), x, *velocities)


def _sum(weights, velocities):
    return tf.add_n([weight * k for weight, k in zip(weights, velocities) if weight])


def per_row(value, x):
    """A number or a truth for each row, [batch], in the shape that goes with x [batch, ...]."""
    return tf.reshape(value, [-1] + [1] * (x.shape.rank - 1))


def choose(which, x, y):
    """x in the rows where `which`, bool [batch], is true, y in the others."""
    return tf.nest.map_structure(lambda x, y: tf.where(per_row(which, x), x, y), x, y)


def of_state(x):
    """A state as tensors, its batch, as an integer where that is known, and its dtype, which is that of times."""
    x = tf.nest.map_structure(tf.convert_to_tensor, x)
    first = tf.nest.flatten(x)[0]
    return x, tf.shape(first)[0] if first.shape[0] is None else first.shape[0], first.dtype
