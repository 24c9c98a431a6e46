"""A zoo of deep generative models for TensorFlow and Keras 3."""

import inspect

from zoo.autoregressive.diagonal_bilstm import DiagonalBiLSTM
from zoo.autoregressive.eonade import EoNADE
from zoo.autoregressive.fvsbn import FVSBN
from zoo.autoregressive.gated_pixel_cnn import GatedPixelCNN
from zoo.autoregressive.gpt import GPT
from zoo.autoregressive.image_gpt import ImageGPT
from zoo.autoregressive.made import MADE
from zoo.autoregressive.nade import NADE
from zoo.autoregressive.pixel_cnn import PixelCNN
from zoo.autoregressive.pixel_cnn_pp import PixelCNNPP
from zoo.autoregressive.pixel_snail import PixelSNAIL
from zoo.autoregressive.rnade import RNADE
from zoo.autoregressive.row_lstm import RowLSTM
from zoo.autoregressive.sketch_rnn_unconditional import UnconditionalSketchRNN
from zoo.autoregressive.wavenet import WaveNet
from zoo.checks import nearest
from zoo.density.bernoulli_mixture import BernoulliMixture
from zoo.density.gaussian_mixture import GaussianMixture
from zoo.density.histogram import Histogram
from zoo.density.kernel_density import KernelDensity
from zoo.diffusion.ddpm import DDPM
from zoo.flow.real_nvp import RealNVP
from zoo.gan.gan import GAN
from zoo.latent.autoencoder import Autoencoder
from zoo.latent.beta_tcvae import BetaTCVAE
from zoo.latent.beta_vae import BetaVAE
from zoo.latent.character_vae import CharacterVAE
from zoo.latent.conditional_vae import ConditionalVAE
from zoo.latent.denoising_autoencoder import DenoisingAutoencoder
from zoo.latent.dlgm import DLGM
from zoo.latent.grammar_vae import GrammarVAE
from zoo.latent.iwae import IWAE
from zoo.latent.ladder_vae import LadderVAE
from zoo.latent.sketch_rnn import SketchRNN
from zoo.latent.vae import VAE
from zoo.latent.very_deep_vae import VeryDeepVAE
from zoo.latent.vq_vae import VQVAE
from zoo.latent.vq_vae_2 import VQVAE2
from zoo.model import KNOWN

MODELS = {
    "histogram": Histogram,
    "kernel_density": KernelDensity,
    "gaussian_mixture": GaussianMixture,
    "bernoulli_mixture": BernoulliMixture,
    "fvsbn": FVSBN,
    "nade": NADE,
    "eonade": EoNADE,
    "rnade": RNADE,
    "made": MADE,
    "row_lstm": RowLSTM,
    "diagonal_bilstm": DiagonalBiLSTM,
    "pixel_cnn": PixelCNN,
    "gated_pixel_cnn": GatedPixelCNN,
    "pixel_cnn_pp": PixelCNNPP,
    "pixel_snail": PixelSNAIL,
    "image_gpt": ImageGPT,
    "wavenet": WaveNet,
    "gpt": GPT,
    "sketch_rnn_unconditional": UnconditionalSketchRNN,
    "autoencoder": Autoencoder,
    "denoising_autoencoder": DenoisingAutoencoder,
    "vae": VAE,
    "beta_vae": BetaVAE,
    "beta_tcvae": BetaTCVAE,
    "conditional_vae": ConditionalVAE,
    "iwae": IWAE,
    "dlgm": DLGM,
    "ladder_vae": LadderVAE,
    "very_deep_vae": VeryDeepVAE,
    "vq_vae": VQVAE,
    "vq_vae_2": VQVAE2,
    "sketch_rnn": SketchRNN,
    "grammar_vae": GrammarVAE,
    "character_vae": CharacterVAE,
    "real_nvp": RealNVP,
    "gan": GAN,
    "ddpm": DDPM,
}
KNOWN.update(MODELS)


def model_class(name):
    """Returns the class of a model's name. Raises ValueError, with the nearest right name, if there is none."""
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; {nearest(name, MODELS)}")
    return MODELS[name]


def create(name, **arguments):
    """Makes the model `name` of `MODELS`. Raises ValueError, naming the nearest right one, for an unknown model or
    argument."""
    cls = model_class(name)
    known = [p for p in inspect.signature(cls.__init__).parameters if p not in ("self", "kwargs")]
    for argument in arguments:
        if argument not in known and argument not in ("name", "dtype"):
            raise ValueError(f"model {name!r} has no argument {argument!r}; {nearest(argument, known)}")
    return cls(**arguments)
