"""The shapes at which training is compared with the peers: one entry for both sides."""

from typing import NamedTuple


class Shape(NamedTuple):
    """kind, example, levels: of the peer's random data. arguments: of the zoo's model. twin: of the peer's. bar: the
    ratio to reach.

    model: the zoo's name of it, where a row of the table has another. jit: whether our loss and gradients are compiled
    by XLA, as `zoo-train --jit` does.
    """

    kind: str
    example: tuple
    batch: int
    arguments: dict
    twin: dict
    bar: float
    levels: int = 2
    peer: str = "PyTorch twin"
    model: str | None = None
    jit: bool = False


_DILATIONS = tuple(2**i for i in range(10))

SHAPES = {
    "fvsbn": Shape("binary", (784,), 64, dict(shape=(28, 28, 1)), dict(size=784), 10.0,
                   peer="PyTorch, a loop over pixels"),
    "nade": Shape("binary", (784,), 64, dict(shape=(28, 28, 1), hidden=500), dict(size=784, hidden=500), 3.0,
                  peer="PyTorch, a loop over pixels", jit=True),
    "made": Shape("binary", (784,), 64, dict(shape=(28, 28, 1), hidden=(8000,)), dict(size=784, hidden=8000), 1.2),
    "pixel_cnn": Shape("binary", (1, 28, 28), 64, dict(shape=(28, 28, 1)), dict(channels=32, blocks=15), 1.2, jit=True),
    "gated_pixel_cnn": Shape("binary", (1, 28, 28), 16, dict(shape=(28, 28, 1), channels=32, blocks=10),
                             dict(channels=32, blocks=9), 1.2),
    "image_gpt": Shape("tokens", (784,), 16, dict(shape=(28, 28, 1), width=64, heads=2, layers=8),
                       dict(length=784, levels=2, width=64, heads=2, layers=8), 1.2),
    "wavenet": Shape("waveform", (4096,), 4,
                     dict(shape=(4096,), channels=32, layers=10, skip_channels=64, head_channels=64),
                     dict(length=4096, channels=32, skip=64, dilations=_DILATIONS, levels=256), 1.2, levels=256),
    "gpt": Shape("tokens", (64,), 12, dict(shape=(64,), levels=65, width=128, heads=4, layers=4),
                 dict(length=64, levels=65, width=128, heads=4, layers=4), 1.2, levels=65,
                 jit=True),
    "vae": Shape("binary", (1, 28, 28), 100, dict(shape=(28, 28, 1), latent_size=50, hidden=(200, 200)),
                 dict(hidden=200, latent=50), 1.2),
    "vae_conv": Shape("binary", (1, 28, 28), 100,
                      dict(shape=(28, 28, 1), latent_size=16, network="conv", hidden=(32, 64), activation="relu"),
                      dict(channels=(32, 64), latent=16), 1.2, model="vae"),
    "iwae": Shape("binary", (1, 28, 28), 20, dict(shape=(28, 28, 1), k=50), dict(hidden=200, latent=50, k=50), 1.2),
    "vq_vae": Shape("binary", (1, 28, 28), 64,
                    dict(shape=(28, 28, 1), codebook_size=128, embedding_size=32, channels=64, residuals=2,
                         residual_channels=32), dict(channels=64, residuals=2, residual_channels=32, entries=128,
                                                     size=32), 1.2),
}
