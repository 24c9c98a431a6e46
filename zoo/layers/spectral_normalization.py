"""Spectral normalisation: a kernel is divided by its largest singular value, which a power iteration a move tracks.

T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, Spectral Normalization for Generative Adversarial Networks, 2018,
arXiv:1802.05957, algorithm 1. Keras's own layer overwrites its kernel with the divided one, twice where a loss looks at
real and fake, so that no gradient goes through sigma.
"""

import keras
import tensorflow as tf

from zoo.layers.following import Followed, follow

_SMALLEST = 1e-12  # length of a vector that is normalised
_ITERATIONS, _SETTLED = 200, 1e-6  # of `settle`: at most, and the relative change of sigma at which it ends


@keras.saving.register_keras_serializable("zoo")
class SpectralNormalization(keras.layers.Wrapper):
    """A layer whose kernel is W / sigma(W, u), sigma = v^T W u', v = W u / |W u|, u' = W^T v / |W^T v|.

    W is [inputs, outputs], of a convolution [all the rest, outputs]. u' and v are constants to the gradient, so that d
    sigma / dW = v u'^T. u follows (`zoo.layers.following`): after a move it takes the value u', once, however often the
    loss calls the layer; the player that moves W has `followed()` in its `follows`. With or without training the same u
    gives the same kernel. A kernel of zeros stays what it is.

    Args:
        layer: a Keras layer: `Dense`, or a convolution or transposed convolution of one to three dimensions.

    Raises:
        TypeError: if `layer` is none of these.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        if not isinstance(layer, _LAYERS):
            known = ", ".join(kind.__name__ for kind in _LAYERS)
            raise TypeError(f"layer must be one of {known}, found {type(layer).__name__}.")
        self._folded = None

    def build(self, input_shape):
        super().build(input_shape)
        outputs = self._matrix(self.layer.kernel).shape[-1]
        followed = dict(dtype="float32", autocast=False, trainable=False)
        self.u = self.add_weight((outputs,), keras.initializers.RandomNormal(0.0, 1.0), name="u", **followed)

    def call(self, x):
        kernel = self.kernel() if self._folded is None else tf.convert_to_tensor(self._folded)
        with keras.StatelessScope([(self.layer.kernel, kernel)]):  # what the layer reads in the place of its weight
            return self.layer(x)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def kernel(self):
        """Computes W / sigma(W, u), float32, of the shape of W; u' is noted as what u shall be."""
        u, sigma = self._iterate(tf.convert_to_tensor(self.u))
        follow(self.u, u)
        return self._weight() / tf.where(sigma > 0.0, sigma, 1.0)

    def sigma(self):
        """Returns the largest singular value of W as u has it, a scalar."""
        return self._iterate(tf.convert_to_tensor(self.u))[1]

    def followed(self):
        """Returns what the player follows that moves W (`zoo.layers.following.of`): u, which is the same on all
        replicas."""
        return [Followed(self.u, "same")]

    def settle(self):
        """Moves u until sigma no longer changes: for averaged weights, whose vectors the u of training isn't."""
        u, before = self._iterate(tf.convert_to_tensor(self.u))
        for _ in range(_ITERATIONS):
            u, sigma = self._iterate(u)
            if abs(sigma - before) <= _SETTLED * sigma:
                break
            before = sigma
        self.u.assign(u)

    def fold(self):
        """Computes the kernel for those who trace the layer until `unfold`: an exported graph holds it as a weight."""
        self._folded = tf.Variable(self.kernel(), trainable=False, name="folded_kernel")

    def unfold(self):
        self._folded = None

    def _iterate(self, u):
        """Returns (u', sigma) of one power iteration from u."""
        matrix = self._matrix(self._weight())
        held = tf.stop_gradient(matrix)
        v = _unit(tf.linalg.matvec(held, u))
        after = tf.linalg.matvec(held, v, transpose_a=True)
        after = tf.where(tf.reduce_any(after != 0.0), _unit(after), u)  # a u of zeros would never move again
        return after, tf.tensordot(v, tf.linalg.matvec(matrix, after), 1)

    def _weight(self):
        return tf.convert_to_tensor(self.layer.kernel._value)  # not cast, as it is where precision is mixed

    def _matrix(self, kernel):
        """Returns a kernel as [the rest, outputs]: a transposed convolution's holds its outputs before its inputs."""
        kernel = tf.convert_to_tensor(kernel)
        kernel = tf.linalg.matrix_transpose(kernel) if isinstance(self.layer, _TRANSPOSED) else kernel
        return tf.reshape(kernel, [-1, kernel.shape[-1]])


def _unit(vector):
    return tf.math.l2_normalize(vector, epsilon=_SMALLEST**2)


_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_LAYERS = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D, *_TRANSPOSED)
