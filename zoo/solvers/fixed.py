"""Steps on a grid of times that is known before: as many for every row, or each row's own."""

import tensorflow as tf

from zoo.solvers.runge_kutta import HEUN, Solution, choose, moved, of_state, stages


def integrate(velocity, x, times, tableau=HEUN):
    """Solves dx/dt = v(t, x) from times[0] to times[-1] by one step from each time to the next.

    Gradients flow through the steps, so that what is differentiated is the map that was computed.

    Args:
        velocity: v(t, x), see `zoo.solvers.runge_kutta`.
        x: the state at times[0].
        times: [n + 1], or [batch, n + 1] for a grid of each row's own; ascending or descending. A row that needs fewer
            steps repeats a time: a step of no length changes nothing, whatever the velocity there, and does not count.
        tableau: the method: EULER, HEUN or RK4.

    Returns:
        Solution(x, evaluations).
    """
    x, batch, dtype = of_state(x)
    times = tf.convert_to_tensor(times, dtype)
    times = tf.transpose(tf.broadcast_to(times, [batch, tf.shape(times)[-1]]))  # [n + 1, batch]
    num = tf.shape(times)[0] - 1

    def step(index, x, steps):
        t, h = times[index], times[index + 1] - times[index]
        new = moved(x, h, tableau.b, stages(velocity, tableau, t, h, x))
        return index + 1, choose(h != 0.0, new, x), steps + tf.cast(h != 0.0, tf.int32)

    known = times.shape[0]
    _, x, steps = tf.while_loop(lambda index, *_: index < num, step, (0, x, tf.zeros([batch], tf.int32)),
                                maximum_iterations=None if known is None else known - 1)
    return Solution(x, len(tableau.c) * steps)
