"""Steps as long as a tolerance allows, each row's its own: a masked loop that ends when every row has come to its end.

Dormand and Prince's method of order 5(4), with the choice of first step and of the next of E. Hairer, S. P. Norsett, G.
Wanner, Solving Ordinary Differential Equations I, 1993, section II.4. A library's solver has one step for the whole
batch, so that a row's answer depends on its neighbours.
"""

import tensorflow as tf

from zoo.solvers.runge_kutta import DORMAND_PRINCE, Solution, choose, moved, of_state, stages

# The next step is this part of the one that would be just right, and at least and at most so many times the last one.
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 10.0


def integrate(velocity, x, start, end, rtol=1e-5, atol=1e-5, max_steps=1000):
    """Solves dx/dt = v(t, x) from `start` to `end`, a row's error in a step being at most atol + rtol |x| (root mean
    square over its entries).

    A row's steps are found from its own errors alone, and from their first digits, so that it is the same in any batch
    up to rounding. A row that is not at its end after `max_steps` steps, those that were refused included, is NaN: it
    is too stiff for the tolerance in this precision, or its solution is not finite. Its neighbours are not touched.
    Gradients flow through the steps that were taken, their lengths held fixed.

    Args:
        velocity: v(t, x), see `zoo.solvers.runge_kutta`.
        x: the state at `start`.
        start, end: numbers, or [batch] of each row's own; end may lie before start.
        rtol, atol: tolerances. In float32 below about 1e-6 rounding is all that is left.
        max_steps: at least 1.

    Returns:
        Solution(x, evaluations).
    """
    x, batch, dtype = of_state(x)
    start, end = (tf.broadcast_to(tf.convert_to_tensor(t, dtype), [batch]) for t in (start, end))

    def error_of(error, *states):
        """Root mean square of error / (atol + rtol max |x|), [batch]; no gradient flows through it."""
        squares, entries = tf.zeros([batch], dtype), tf.zeros([], dtype)
        for part, *x in zip(*map(tf.nest.flatten, (error, *states))):
            largest = tf.reduce_max(tf.abs(tf.stack(x)), 0)
            ratio = tf.reshape(tf.stop_gradient(part / (atol + rtol * largest)), [batch, -1])
            squares += tf.cast(tf.reduce_sum(ratio**2, -1), dtype)
            entries += tf.cast(tf.shape(ratio)[1], dtype)
        return tf.sqrt(squares / entries)

    def step(index, t, h, x, k, evaluations):
        active = t != end
        h = tf.where(active, h, tf.zeros_like(h))
        last = tf.abs(h) >= tf.abs(end - t)
        h = tf.where(last, end - t, h)
        found = stages(velocity, DORMAND_PRINCE, t, h, x, k)
        new = moved(x, h, DORMAND_PRINCE.b, found)
        error = error_of(moved(tf.nest.map_structure(tf.zeros_like, x), h, DORMAND_PRINCE.error, found), x, new)
        accepted = active & (error <= 1.0)
        t = tf.where(accepted, tf.where(last, end, t + h), t)
        x, k = choose(accepted, new, x), choose(accepted, found[-1], k)
        factor = tf.clip_by_value(_SAFETY * tf.maximum(error, 1e-10) ** (-1 / DORMAND_PRINCE.order), _SHRINK, _GROW)
        factor = tf.where(tf.math.is_finite(error), factor, tf.constant(_SHRINK, dtype))  # no number: it was too long
        h = _coarse(h * factor)
        return index + 1, t, h, x, k, evaluations + tf.where(active, len(found) - 1, 0)

    k = velocity(start, x)
    h, tried = _first_step(velocity, start, end, x, k, error_of)
    state = 0, start, tf.stop_gradient(h), x, k, tf.where(start != end, 1 + tried, 0)
    _, t, _, x, _, evaluations = tf.while_loop(
        lambda index, t, *_: tf.reduce_any(t != end), step, state, maximum_iterations=max_steps)
    nan = tf.nest.map_structure(lambda x: tf.fill(tf.shape(x), tf.constant(float("nan"), x.dtype)), x)
    return Solution(choose(t == end, x, nan), evaluations)


def _first_step(velocity, start, end, x, k, error_of):
    """A step, with its sign, whose error is far below the tolerance, and how many evaluations it took to find it."""
    sign = tf.sign(end - start)
    size, slope = error_of(x, x), error_of(k, x)
    tiny = tf.constant(1e-6, start.dtype)
    h = tf.where((size < 1e-5) | (slope < 1e-5), tiny, 0.01 * size / tf.maximum(slope, 1e-10)) * sign
    h = tf.stop_gradient(tf.where(tf.abs(h) < tf.abs(end - start), h, end - start))
    there = velocity(start + h, moved(x, h, (1.0,), [k]))
    bend = error_of(tf.nest.map_structure(tf.subtract, there, k), x) / tf.maximum(tf.abs(h), 1e-10)
    steepest = tf.maximum(slope, bend)
    right = (0.01 / tf.maximum(steepest, 1e-15)) ** (1 / DORMAND_PRINCE.order)
    right = tf.where(steepest <= 1e-15, tf.maximum(tiny, 1e-3 * tf.abs(h)), right)
    right = tf.where(tf.math.is_finite(right), tf.minimum(right, 100.0 * tf.abs(h)), tf.abs(h))
    return _coarse(right) * sign, 1


def _coarse(h):
    """h with four binary digits after its first: errors that differ in their last digits only, as sums of other batches
    do, take the same steps."""
    integer, digits = (tf.int32, 23) if h.dtype == tf.float32 else (tf.int64, 52)
    kept = tf.constant(-1 << digits - 4, integer)
    return tf.bitcast(tf.bitwise.bitwise_and(tf.bitcast(h, integer), kept), h.dtype)
