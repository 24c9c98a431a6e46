"""A step of the pen: where it goes, a mixture of bivariate Gaussians, and what it does there, one of three states.

D. Ha, D. Eck, A Neural Representation of Sketch Drawings, 2017, arXiv:1704.03477, section 3.2; the mixture: A. Graves,
Generating Sequences With Recurrent Neural Networks, 2013, arXiv:1308.0850, section 4.1. A step is (dx, dy, p1, p2, p3):
the offset from the point before; then exactly one of p1, a line goes on from here, p2, the pen is lifted here, and p3,
the drawing has ended, is 1. A sketch is T steps, the first of which starts at the origin with the pen down; from its
end on every step is `END`.

Parameters are [..., 6 M + 3] for M components: the logits of the three states; the logits of the components, their
locations in x, in y, the logarithms of their scales in x, in y, and the inverse hyperbolic tangents of their
correlations.
"""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.distributions import categories

tfd = tfp.distributions

END = (0.0, 0.0, 0.0, 0.0, 1.0)
LOG_SCALE_FLOOR = -7.0  # a density without a floor rises without bound on an offset that repeats, such as 0
CORRELATION_LIMIT = 5.0  # of atanh(rho): |rho| < 0.9999
# A control of the models that draw strokes: default, lowest, highest, and what it does.
TEMPERATURE = (1.0, 1e-4, 100.0,
               "divisor of the log-odds and factor of the variances of each step; 1 draws from the model, less is "
               "safer")
_NEVER = -1e9  # log-odds of what can't be


class Strokes(tfd.Distribution):
    """p(dx, dy, p) = q_p for p = p3, else q_p sum_j softmax(pi)_j N(dx, dy | mu_j, [[sx^2, rho sx sy], [rho sx sy,
    sy^2]]_j).

    A step that ends the drawing has no offset, so its density is the probability of its state alone.

    Args:
        parameters: [..., 6 M + 3].
    """

    def __init__(self, parameters, name="Strokes"):
        self.raw = parameters
        super().__init__(dtype=tf.float32, reparameterization_type=tfd.NOT_REPARAMETERIZED, validate_args=False,
                         allow_nan_stats=True, name=name)

    def pen(self):
        """Returns the distribution of the three states, as indicator vectors."""
        return tfd.OneHotCategorical(logits=self.raw[..., :3], dtype=tf.float32)

    def pen_log_prob(self, x):
        """Computes log q_p, [...]."""
        return tf.reduce_sum(x[..., 2:] * tf.nn.log_softmax(self.raw[..., :3]), -1)

    def offset_log_prob(self, x):
        """Computes the log of the mixture's density at (dx, dy), [...]; 0 where the drawing has ended."""
        logits, x_loc, y_loc, x_scale, y_scale, rho, rest = _split(self.raw)
        # Along x, and along y given x: no cancellation where |rho| is near 1.
        u = (x[..., :1] - x_loc) / x_scale
        v = ((x[..., 1:2] - y_loc) / y_scale - rho * u) / rest
        each = -0.5 * (tf.square(u) + tf.square(v)) - tf.math.log(x_scale * y_scale * rest) - math.log(2.0 * math.pi)
        return tf.where(ends(x), 0.0, tf.reduce_logsumexp(tf.nn.log_softmax(logits) + each, -1))

    def _batch_shape(self):
        return self.raw.shape[:-1]

    def _batch_shape_tensor(self):
        return tf.shape(self.raw)[:-1]

    def _event_shape(self):
        return tf.TensorShape([5])

    def _event_shape_tensor(self):
        return tf.constant([5], tf.int32)

    def _log_prob(self, x):
        return self.offset_log_prob(x) + self.pen_log_prob(x)

    def _sample_n(self, n, seed=None):
        uniforms, normals = random.split(tfp.random.sanitize_seed(seed))
        shape = tf.concat([[n], self._batch_shape_tensor(), [2]], 0)
        noise = tf.concat([tf.random.stateless_uniform(shape, uniforms), tf.random.stateless_normal(shape, normals)],
                          -1)
        return from_noise(tf.broadcast_to(self.raw, tf.concat([[n], tf.shape(self.raw)], 0)), noise)


def sketch_shape(shape):
    """Returns (T, 5) as a tuple. Raises ValueError for the shape of anything but a sketch."""
    if len(shape) != 2 or shape[0] < 1 or shape[1] != 5:
        raise ValueError(f"shape must be a sketch's, (number of steps, 5), found {tuple(shape)}.")
    return tuple(shape)


def ends(x):
    """Returns whether a step, [..., 5], says that the drawing has ended, [...]."""
    return x[..., 4] > 0.5


def over(x):
    """Returns whether a sketch [..., T, 5] has ended before each of its steps, [..., T]."""
    return tf.cumsum(tf.cast(ends(x), tf.int32), axis=-1, exclusive=True) > 0


def lengths(x):
    """Counts the steps of a sketch [..., T, 5] up to and with its end, int32 [...]; T where it does not end."""
    return x.shape[-2] - tf.reduce_sum(tf.cast(over(x), tf.int32), -1)


def filled(x):
    """Returns the sketch with `END` in the place of steps of zeros, which is what nobody has drawn."""
    return tf.where(tf.reduce_any(x != 0.0, -1, keepdims=True), x, tf.constant(END))


def certain(parameters, over):
    """Returns the parameters with the state p3 certain where `over`, [...], says so."""
    pen, rest = parameters[..., :3], parameters[..., 3:]
    return tf.concat([tf.where(over[..., None], tf.constant([_NEVER, _NEVER, 0.0]), pen), rest], -1)


def noise_rows(seeds, length):
    """Draws the noise of `from_noise` for one sketch per row, [batch, length, 4]: two uniforms, of the component and
    the state, and two normals.
    """
    uniforms, normals = random.uniform_rows, random.normal_rows
    return tf.concat([draw(random.fold_in_rows(seeds, number), (length, 2)) for number,
                      draw in enumerate((uniforms, normals))], -1)


def from_noise(parameters, noise, temperature=1.0):
    """Makes steps [..., 5] of the noise [..., 4] at a temperature tau (a number, or [...]): logits over tau, scales
    times sqrt(tau) (section 3.3).
    """
    temperature = tf.convert_to_tensor(temperature, tf.float32)[..., None]
    component = categories.from_noise(parameters[..., 3:3 + _components(parameters)] / temperature, noise[..., 0])
    state = categories.from_noise(parameters[..., :3] / temperature, noise[..., 1])
    return _step(parameters, component, state, noise[..., 2:] * tf.sqrt(temperature))


def likeliest(parameters):
    """Returns the limit of `from_noise` as the temperature goes to 0, [..., 5]: the location of the component of most
    weight, and the likeliest state.
    """
    component = tf.argmax(parameters[..., 3:3 + _components(parameters)], -1, output_type=tf.int32)
    state = tf.argmax(parameters[..., :3], -1, output_type=tf.int32)
    return _step(parameters, component, state, tf.zeros_like(parameters[..., :2]))


def _step(parameters, component, state, normals):
    chosen = [tf.gather(t, component[..., None], axis=-1, batch_dims=component.shape.rank)[..., 0]
              for t in _split(parameters)[1:]]
    x_loc, y_loc, x_scale, y_scale, rho, rest = chosen
    u, v = normals[..., 0], normals[..., 1]
    offset = tf.stack([x_loc + x_scale * u, y_loc + y_scale * (rho * u + rest * v)], -1)
    pen = tf.one_hot(state, 3)
    return tf.concat([tf.where(pen[..., 2:] > 0.5, 0.0, offset), pen], -1)


def _components(parameters):
    return (parameters.shape[-1] - 3) // 6


def _split(parameters):
    """Returns (logits, x_loc, y_loc, x_scale, y_scale, rho, sqrt(1 - rho^2)), each [..., M]."""
    logits, x_loc, y_loc, x_log_scale, y_log_scale, r = tf.split(parameters[..., 3:], 6, axis=-1)
    r = tf.clip_by_value(r, -CORRELATION_LIMIT, CORRELATION_LIMIT)
    return (logits, x_loc, y_loc, tf.exp(tf.maximum(x_log_scale, LOG_SCALE_FLOOR)),
            tf.exp(tf.maximum(y_log_scale, LOG_SCALE_FLOOR)), tf.tanh(r), 1.0 / tf.cosh(r))
