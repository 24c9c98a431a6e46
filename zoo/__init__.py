"""A zoo of deep generative models for TensorFlow and Keras 3."""

import difflib
import inspect

from zoo.autoregressive.pixel_cnn import PixelCNN
from zoo.diffusion.ddpm import DDPM
from zoo.flow.real_nvp import RealNVP
from zoo.gan.gan import GAN
from zoo.latent.vae import VAE

MODELS = {
    "vae": VAE,
    "pixel_cnn": PixelCNN,
    "real_nvp": RealNVP,
    "gan": GAN,
    "ddpm": DDPM,
}


def nearest(word, words):
    """Says which of `words` was probably meant: a clause that ends a sentence about an unknown word."""
    words = sorted(words)
    close = difflib.get_close_matches(str(word), words, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? Known: {', '.join(words)}." if close else f"known: {', '.join(words)}."


def model_class(name):
    """The class of a model's name. Raises ValueError, with the nearest right name, if there is none."""
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; {nearest(name, MODELS)}")
    return MODELS[name]


def create(name, **arguments):
    """Makes the model `name` of `MODELS`. Raises ValueError, naming the nearest right one, for an unknown model or argument."""
    cls = model_class(name)
    known = [p for p in inspect.signature(cls.__init__).parameters if p not in ("self", "kwargs")]
    for argument in arguments:
        if argument not in known and argument not in ("name", "dtype"):
            raise ValueError(f"model {name!r} has no argument {argument!r}; {nearest(argument, known)}")
    return cls(**arguments)
