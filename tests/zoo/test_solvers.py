"""Solvers against exact solutions: orders, tolerances, rows alone and in a batch, graphs, exports and gradients."""

import functools

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import tensorflow as tf

from zoo.serving import graph
from zoo.solvers import adaptive, fixed
from zoo.solvers.runge_kutta import DORMAND_PRINCE, EULER, HEUN, RK4

BATCH = 6
RATES = np.linspace(-3.0, 1.5, BATCH)
MATRIX = np.array([[-0.3, 1.2, 0.0], [-1.0, 0.1, 0.5], [0.2, 0.0, -0.7]])


def logistic(t, x):
    """dx/dt = r x (1 - x) with each row's r: x(t) = 1 / (1 + (1 / x(0) - 1) exp(-r t))."""
    return tf.constant(RATES, x.dtype)[:, None] * x * (1.0 - x)


def solved(x, t):
    return 1.0 / (1.0 + (1.0 / x - 1.0) * np.exp(-RATES[:, None] * t))


def start(dtype=np.float64):
    return np.random.default_rng(0).uniform(0.2, 0.9, [BATCH, 2]).astype(dtype)


@pytest.mark.parametrize("tableau", [EULER, HEUN, RK4, DORMAND_PRINCE], ids=["euler", "heun", "rk4", "dormand_prince"])
def test_numbers_of_a_tableau(tableau):
    """Consistency, and each row's sum is its time; the error's weights are a difference of two consistent methods."""
    assert sum(tableau.b) == pytest.approx(1.0)
    for c, row in zip(tableau.c, tableau.a):
        assert sum(row) == pytest.approx(c)
    assert sum(tableau.error) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("tableau", [EULER, HEUN, RK4, DORMAND_PRINCE], ids=["euler", "heun", "rk4", "dormand_prince"])
def test_half_the_step_has_the_order_s_part_of_the_error(tableau):
    def velocity(t, x):  # of x(t) = exp(sin t) x(0), which depends on t as well
        return tf.cos(t)[:, None] * x

    x = start()
    errors = []
    for steps in (16, 32):
        found, evaluations = fixed.integrate(velocity, x, np.linspace(0.0, 2.0, steps + 1), tableau)
        errors.append(np.abs(found / (np.exp(np.sin(2.0)) * x) - 1.0).max())
        np.testing.assert_array_equal(evaluations, steps * len(tableau.c))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(tableau.order, abs=0.35)


def test_a_grid_of_each_row_s_own():
    """Rows with fewer steps wait at their end, and are what they are alone; backwards in time as well."""
    x, counts = start(), [1, 4, 8, 3, 8, 0]
    grids = [np.linspace(0.0, 1.0, n + 1) if n else np.array([0.5]) for n in counts]
    times = np.stack([np.pad(grid, [0, 9 - len(grid)], "edge") for grid in grids])

    def velocity(t, x):  # at its end a row's velocity is infinite
        return tf.where((t < 1.0)[:, None], logistic(t, x), np.inf)

    found, evaluations = fixed.integrate(velocity, x, times, EULER)
    np.testing.assert_array_equal(evaluations, counts)
    for row, grid in enumerate(grids):
        alone = fixed.integrate(lambda t, x, r=RATES[row]: r * x * (1.0 - x), x[row:row + 1], grid, EULER).x
        np.testing.assert_allclose(found[row], alone[0], rtol=1e-12)
    forth = fixed.integrate(logistic, x, np.linspace(0.0, 1.0, 30), RK4).x
    np.testing.assert_allclose(fixed.integrate(logistic, forth, np.linspace(1.0, 0.0, 30), RK4).x, x, atol=1e-6)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
def test_the_adaptive_solver_keeps_its_tolerance(tolerance):
    x = start()
    found, evaluations = adaptive.integrate(logistic, x, 0.0, 3.0, tolerance, tolerance)
    assert np.abs(found - solved(x, 3.0)).max() < 10 * tolerance
    options = dict(rtol=tolerance, atol=tolerance, method="RK45")
    reference = [scipy.integrate.solve_ivp(lambda t, y, r=r: r * y * (1.0 - y), (0.0, 3.0), row, **options)
                 for r, row in zip(RATES, x)]
    for count, other in zip(evaluations.numpy(), reference):
        assert count <= 1.5 * other.nfev + 12
    assert len(set(evaluations.numpy())) > 1


def test_forth_and_back():
    x = start()
    forth = adaptive.integrate(logistic, x, 0.0, 2.0, 1e-8, 1e-8).x
    np.testing.assert_allclose(adaptive.integrate(logistic, forth, 2.0, 0.0, 1e-8, 1e-8).x, x, atol=1e-6)


def test_rows_begin_and_end_where_they_want():
    x, begins, ends = start(), np.linspace(0.0, 1.0, BATCH), np.array([2.0, 0.1, 0.0, 0.0, -1.0, 3.0])
    ends[3] = begins[3]
    found, evaluations = adaptive.integrate(logistic, x, begins, ends, 1e-8, 1e-8)
    np.testing.assert_allclose(found, solved(x, (ends - begins)[:, None]), atol=1e-6)
    assert evaluations[3] == 0 and np.all(evaluations.numpy()[[0, 1, 2, 4, 5]] > 0)
    np.testing.assert_array_equal(found[3], x[3])


def test_the_state_may_be_an_example_and_its_log_density():
    """dx/dt = A x: x(T) = expm(A T) x and the log-determinant is T tr A, forwards and backwards."""
    x, horizon = np.random.default_rng(1).normal(size=[BATCH, 3]), 1.7

    def velocity(t, state):
        return tf.matmul(state["x"], MATRIX, transpose_b=True), tf.fill(tf.shape(t), tf.constant(np.trace(MATRIX)))

    def named(t, state):
        x, log_det = velocity(t, state)
        return {"x": x, "log_det": log_det}

    begin = {"x": tf.constant(x), "log_det": tf.zeros([BATCH], tf.float64)}
    for solution in (adaptive.integrate(named, begin, 0.0, horizon, 1e-9, 1e-9),
                     fixed.integrate(named, begin, np.linspace(0.0, horizon, 60), RK4)):
        np.testing.assert_allclose(solution.x["x"], x @ scipy.linalg.expm(MATRIX * horizon).T, atol=1e-6)
        np.testing.assert_allclose(solution.x["log_det"], horizon * np.trace(MATRIX), atol=1e-9)
        back = adaptive.integrate(named, solution.x, horizon, 0.0, 1e-9, 1e-9)
        np.testing.assert_allclose(back.x["x"], x, atol=1e-6)


def stiff(rates):
    """Rows of very different speeds: dx/dt = r (cos t - x)."""
    return lambda t, x: tf.constant(rates, x.dtype)[:, None] * (tf.cos(t)[:, None] - x)


@pytest.mark.parametrize("dtype, atol", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_a_row_is_the_same_alone_and_with_neighbours_of_other_speeds(dtype, atol):
    """To the last digits; in float32, where an error's digits are few, to the tolerance."""
    rates, x = np.array([0.1, 1.0, 30.0, 200.0]), start(dtype)[:4]

    def solve(which):
        return tf.function(lambda: adaptive.integrate(stiff(rates[which]), x[which], 0.0, 2.0))()

    together = solve(slice(None))
    for row in range(4):
        alone = solve(slice(row, row + 1))
        np.testing.assert_allclose(together.x[row], alone.x[0], rtol=0, atol=atol)
        if dtype == np.float64:
            assert together.evaluations[row] == alone.evaluations[0]
    assert together.evaluations[3] > 3 * together.evaluations[0]


def test_a_row_that_does_not_arrive_is_nan_and_nobody_else():
    def velocity(t, x):  # the first row's solution is infinite at t = 1, the second row's velocity is no number
        return tf.stack([x[0] ** 2, x[1] * np.nan, -x[2]])

    x = np.array([[1.0], [1.0], [1.0]])
    found, evaluations = tf.function(lambda: adaptive.integrate(velocity, x, 0.0, 2.0, max_steps=200))()
    assert np.isnan(found[:2]).all() and float(found[2, 0]) == pytest.approx(np.exp(-2.0), rel=1e-4)
    assert evaluations[0] == evaluations[1] == 2 + 6 * 200 > evaluations[2]
    few = adaptive.integrate(logistic, start(), 0.0, 3.0, 1e-9, 1e-9, max_steps=3)
    assert np.isnan(few.x).all() and np.all(few.evaluations == 2 + 6 * 3)


def solvers(x):
    """Of a state in float32, by both, with the numbers of evaluations."""
    return (*fixed.integrate(logistic, x, tf.linspace(0.0, 2.0, 9), HEUN), *adaptive.integrate(logistic, x, 0.0, 2.0))


@pytest.mark.parametrize("way", ["graph", "xla", "SavedModel"])
def test_solutions_are_the_same_however_they_are_computed(way, tmp_path):
    x = tf.constant(start(np.float32))
    module = tf.Module()
    shape = [BATCH if way == "xla" else None, 2]
    module.solve = tf.function(lambda x: dict(zip("abcd", solvers(x))), jit_compile=way == "xla",
                               input_signature=[tf.TensorSpec(shape, tf.float32)])
    solve = module.solve
    if way == "SavedModel":
        tf.saved_model.save(module, str(tmp_path), signatures={"solve": solve.get_concrete_function()})
        graph.check(graph.parse((tmp_path / "saved_model.pb").read_bytes()))
        solve = tf.saved_model.load(str(tmp_path)).signatures["solve"]
    found, (by_grid, steps, adaptively, evaluations) = solve(x), solvers(x)
    np.testing.assert_allclose(found["a"], by_grid, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found["b"], steps)
    # Under XLA other rounding may choose other steps, within the tolerance.
    np.testing.assert_allclose(found["c"], adaptively, rtol=0, atol=2e-5 if way == "xla" else 1e-6)
    np.testing.assert_allclose(found["d"], evaluations, rtol=0.3 if way == "xla" else 0)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_flow_to_the_start_and_to_what_the_velocity_closes_over(compiled):
    """x(T) = exp(r T) x: dx(T)/dx = exp(r T) and dx(T)/dr = T x(T)."""
    rate, x = tf.Variable(0.7, dtype=tf.float64), tf.constant(start())

    def gradients(solve):
        with tf.GradientTape() as tape:
            tape.watch(x)
            end = solve(lambda t, x: rate * x, x).x
        return (end, *tape.gradient(end, (x, rate)))

    adaptively = functools.partial(adaptive.integrate, start=0.0, end=2.0, rtol=1e-9, atol=1e-9)
    for solve in (adaptively, functools.partial(fixed.integrate, times=np.linspace(0.0, 2.0, 60), tableau=RK4)):
        end, to_start, to_rate = (tf.function(gradients) if compiled else gradients)(solve)
        np.testing.assert_allclose(end, np.exp(1.4) * x, rtol=1e-6)
        np.testing.assert_allclose(to_start, np.full([BATCH, 2], np.exp(1.4)), rtol=1e-6)
        np.testing.assert_allclose(to_rate, 2.0 * np.sum(end), rtol=1e-6)
