"""Kernel density estimation: a bump on every training point. Its one parameter is the bumps' width, by a rule or by
leave-one-out likelihood.

All sums over points go by chunks, so that 10,000 examples against 60,000 points of 784 dimensions need no more memory
than a chunk does. Given some entries of an example the density of the others is a weighted kernel density, so any part
is completed exactly from any other.

E. Parzen, On Estimation of a Probability Density Function and Mode, 1962.
D. W. Scott, Multivariate Density Estimation, 1992; B. W. Silverman, Density Estimation for Statistics and Data
Analysis, 1986 (the rules).
"""

import math

import tensorflow as tf

from zoo import random
from zoo.density.parts.fitted import BUDGET, Completes, FittedModel
from zoo.paper import Paper

KERNELS = ("gaussian", "epanechnikov")
RULES = ("scott", "silverman", "leave_one_out")
_FACTORS = tuple(2.0 ** (power / 4) for power in range(-24, 9))  # of Scott's bandwidth, which `leave_one_out` compares
_UNSIZED = 16  # points of a model that has seen no data
# dimensions up to which squared distances are summed as they are defined; a matrix product is faster and loses digits
_SMALL = 16
_JUDGED = 1000  # points whose leave-one-out likelihood `update` averages


class KernelDensity(Completes, FittedModel):
    """p(x) = 1/N sum_n 1/prod_d h_d K((x - x_n) / h),  K(u) = N(u; 0, I), or Epanechnikov's (D + 2) / (2 V_D) (1 -
    |u|^2) for |u| < 1 (V_D: the ball's volume).

    Args:
        shape: of an example; its D entries are flattened inside.
        levels: None for points; for images, the number of a pixel's values, and x = (level + u) / levels with u ~ U[0,
            1).
        num_points: N, the number of stored points; None: as many as there are data, which `sized` counts.
        kernel: `gaussian` or `epanechnikov`.
        bandwidth: h in all dimensions, in units of x (a number, or its digits); or `scott`: h_d = sd_d N^(-1/(D+4)); or
            `silverman`: (4/(D+2))^(1/(D+4)) times that; or `leave_one_out`: the multiple of Scott's, between 1/64 and 4
            in steps of 2^(1/4), under which each point is most likely given the others. Rules give the kernel's
            standard deviation: the Epanechnikov kernel's h is sqrt(D + 4) times as large.

    Raises:
        ValueError: if `num_points` is less than 1, the kernel or the rule unknown, or a bandwidth not more than 0.
    """

    paper = Paper(("Parzen",),
                  "On Estimation of a Probability Density Function and Mode",
                  1962, "Annals of Mathematical Statistics 33")

    def __init__(self, shape=(2,), levels=None, num_points: int | None = None, kernel="gaussian", bandwidth="scott",
                 **kwargs):
        super().__init__(shape, levels, **kwargs)
        if num_points is not None and num_points < 1:
            raise ValueError(f"num_points must be at least 1, found {num_points}.")
        if kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, found {kernel!r}.")
        if bandwidth not in RULES and not _is_positive(bandwidth):
            raise ValueError(f"bandwidth must be a number more than 0 or one of {', '.join(RULES)}, found "
                             f"{bandwidth!r}.")
        self.num_points, self.kernel, self.bandwidth = num_points, kernel, bandwidth
        self.points = self.state("points", [num_points or _UNSIZED, self.size], "random_normal")
        h = 1.0 if bandwidth in RULES else float(bandwidth)
        self.scale = self.state("scale", [self.size], lambda shape, dtype: tf.fill(shape, tf.cast(h, dtype)))  # h
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, num_points=self.num_points, kernel=self.kernel,
                    bandwidth=self.bandwidth)

    @classmethod
    def sized(cls, arguments, x):
        return arguments | dict(num_points=arguments.get("num_points") or len(x))

    def start(self, x, seed):
        """Stores the points and sets h. Raises ValueError for another number of points than the model holds."""
        x = self.flat(x)
        num = x.shape[0]
        if num != self.points.shape[0]:
            raise ValueError(f"the model holds {self.points.shape[0]} points, found {num}; make it with "
                             f"num_points={num}.")
        self.points.assign(x)
        if self.bandwidth not in RULES:
            return
        deviation = tf.math.reduce_std(x, axis=0)
        # a constant dimension has no scale of its own
        scott = tf.where(deviation > 0.0, deviation, 1.0) * num ** (-1.0 / (self.size + 4))
        if self.bandwidth == "silverman":
            scott *= (4.0 / (self.size + 2)) ** (1.0 / (self.size + 4))
        self.scale.assign(scott * (1.0 if self.kernel == "gaussian" else math.sqrt(self.size + 4)))
        if self.bandwidth == "leave_one_out":
            totals = self._leave_one_out(_FACTORS, tf.range(num)).numpy()
            if not max(totals) > -math.inf:
                raise ValueError("bandwidth leave_one_out: some point is too far from all others for every bandwidth; "
                                 "use the gaussian kernel.")
            self.scale.assign(self.scale * _FACTORS[totals.argmax()])

    def update(self, x):
        """Returns {leave_one_out: mean log-likelihood of 1,000 stored points (or all) given the others}: nothing is
        left to improve."""
        num = self.points.shape[0]
        if num < 2:
            return {"leave_one_out": tf.constant(-math.inf)}
        return {"leave_one_out": self._leave_one_out((1.0,),
                                                     tf.cast(tf.linspace(0.0, num - 1.0, min(num, _JUDGED)),
                                                             tf.int32))[0]}

    def marginal_log_prob(self, x, known):
        """Computes log of the mean kernel over the points, of the known entries, [B]."""
        def add(total, start, terms):
            return tf.reduce_logsumexp(tf.concat([total[:, None], terms], 1), axis=1)

        return self._over_points(x, known, add, tf.fill(tf.shape(x)[:1], -math.inf)) - math.log(self.points.shape[0])

    def conditional(self, seeds, x, known):
        """Draws a point n ~ p(n | x where `known`), and x = x_n + h u with u from the kernel (given its known part),
        [B, D]."""
        uniform = random.uniform_rows(random.fold_in_rows(seeds, 0), [])
        points, num = tf.convert_to_tensor(self.points), self.points.shape[0]
        if known is None:
            index = tf.minimum(tf.cast(uniform * num, tf.int32), num - 1)
        else:
            total = self.marginal_log_prob(x, known) + math.log(num)
            # Where what is known has density 0, any point is as good as another.
            lost = tf.math.is_inf(total)[:, None]

            def count(state, start, terms):
                index, passed = state
                weights = tf.where(lost, 1.0 / num, tf.exp(terms - total[:, None]))
                steps = passed[:, None] + tf.cumsum(weights, axis=1)
                return index + tf.reduce_sum(tf.cast(steps <= uniform[:, None], tf.int32), axis=1), steps[:, -1]

            index = self._over_points(x, known, count, (tf.zeros_like(uniform, tf.int32), tf.zeros_like(uniform)))[0]
            index = tf.minimum(index, num - 1)
        centre, h = tf.gather(points, index), tf.convert_to_tensor(self.scale)
        given = None if known is None else (x - centre) / h
        return centre + h * self._kernel_sample(random.fold_in_rows(seeds, 1), given, known)

    def _kernel_sample(self, seeds, u, known):
        """Draws u from the kernel, [B, D], given its known entries."""
        if self.kernel == "gaussian":
            return random.normal_rows(seeds, [self.size])
        # The first D entries of a uniform direction in D + 4 dimensions have this density; known entries shrink the
        # ball that is left.
        eps = random.normal_rows(seeds, [self.size + 4])
        free = eps[:, :self.size] if known is None else tf.where(known, 0.0, eps[:, :self.size])
        radius = 1.0
        if known is not None:
            radius = tf.sqrt(tf.maximum(1.0 - _square_sum(tf.where(known, u, 0.0)), 0.0))
        return radius * free / tf.sqrt(_square_sum(free) + _square_sum(eps[:, self.size:]))

    def _log_kernel(self, squares, missing):
        """Computes the log of K, the unknown entries integrated out, but for the product of h, from |u|^2 of the known
        ones [B, n] and the number of the others [B, 1]."""
        dims = float(self.size)
        if self.kernel == "gaussian":
            return -0.5 * squares - 0.5 * (dims - missing) * math.log(2.0 * math.pi)
        # (1 - s)^(1 + m/2) C_m / C_D, with C_m = 2 V_m / (m + 2) the integral of (1 - |u|^2) over m dimensions.
        def log_c(m):
            return math.log(2.0) + 0.5 * m * math.log(math.pi) - tf.math.lgamma(0.5 * m + 1.0) - tf.math.log(m + 2.0)

        return (
            (1.0 + 0.5 * missing) * tf.math.log(tf.maximum(1.0 - squares, 0.0))
            + log_c(missing)
            - log_c(tf.constant(dims))
        )

    def _squares(self, x, points, known):
        """Computes sum_d ((x_d - x_nd) / h_d)^2 over the known entries, [B, n]."""
        h = tf.convert_to_tensor(self.scale)
        if self.size <= _SMALL:
            terms = ((x[:, None] - points) / h) ** 2  # [B, n, D]
            return tf.reduce_sum(terms if known is None else tf.where(known[:, None], terms, 0.0), axis=-1)
        centre = points[0]
        x, points = (x - centre) / h, (points - centre) / h
        if known is None:
            squares = (
                tf.reduce_sum(x**2, 1)[:, None]
                + tf.reduce_sum(points**2, 1)
                - 2.0 * tf.matmul(x, points, transpose_b=True)
            )
        else:
            known = tf.cast(known, tf.float32)
            squares = (
                tf.reduce_sum(known * x**2, 1)[:, None]
                + tf.matmul(known, points**2, transpose_b=True)
                - 2.0 * tf.matmul(known * x, points, transpose_b=True)
            )
        return tf.maximum(squares, 0.0)

    def _over_points(self, x, known, add, state):
        """Folds `add(state, first point, log terms [B, n])` over chunks of the points."""
        points, num = tf.convert_to_tensor(self.points), self.points.shape[0]
        h = tf.convert_to_tensor(self.scale)
        mask = tf.ones_like(x) if known is None else tf.cast(known, tf.float32)
        missing = tf.reduce_sum(1.0 - mask, axis=1, keepdims=True)
        scale = tf.linalg.matvec(mask, tf.math.log(h))[:, None]
        chunk = tf.clip_by_value(BUDGET // tf.maximum(tf.shape(x)[0] * (self.size if self.size <= _SMALL else 1), 1),
                                 64, num)

        def step(start, *state):
            terms = self._log_kernel(self._squares(x, points[start:start + chunk], known), missing) - scale
            return start + chunk, *tf.nest.flatten(add(tf.nest.pack_sequence_as(structure, state), start, terms))

        structure = state
        flat = tf.while_loop(lambda start, *_: start < num, step, (0, *tf.nest.flatten(state)),
                             parallel_iterations=1)[1:]
        return tf.nest.pack_sequence_as(structure, flat)

    @tf.function(reduce_retracing=True)
    def _leave_one_out(self, factors, index):
        """Computes the mean log density of the points `index`, each given all the others, with h times each of
        `factors`, [len(factors)]."""
        points, num = tf.convert_to_tensor(self.points), self.points.shape[0]
        rows = max(1, BUDGET // (num * (self.size if self.size <= _SMALL else 1)))
        log_h = tf.reduce_sum(tf.math.log(tf.convert_to_tensor(self.scale)))

        def step(start, total):
            own = index[start:start + rows]
            squares = self._squares(tf.gather(points, own), points, None)
            others = own[:, None] != tf.range(num)
            means = [tf.reduce_logsumexp(tf.where(others,
                                                  self._log_kernel(squares / factor**2,
                                                                   0.0) - self.size * math.log(factor), -math.inf),
                                         axis=1)
                     for factor in factors]
            return start + rows, total + tf.cast(tf.reduce_sum(tf.stack(means), axis=1), tf.float64)

        size = tf.shape(index)[0]
        total = tf.while_loop(lambda start, _: start < size, step, (0, tf.zeros([len(factors)], tf.float64)),
                              parallel_iterations=1)[1]
        return tf.cast(total / tf.cast(size, tf.float64), tf.float32) - math.log(max(num - 1, 1)) - log_h


def _is_positive(value):
    try:
        return 0.0 < float(value) < math.inf
    except (TypeError, ValueError):
        return False


def _square_sum(x):
    return tf.reduce_sum(x**2, axis=1, keepdims=True)
