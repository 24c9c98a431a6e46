"""The peers of the latent-variable family: the same shapes of model in plain, idiomatic PyTorch; imports nothing of the
zoo."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def bernoulli(logits, x):
    """-log p(x), [...]: the sum over an image's entries of the cross-entropy."""
    return F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").flatten(-3).sum(-1)


class DenseVAE(nn.Module):
    def __init__(self, hidden, latent, **_):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.Tanh(), nn.Linear(hidden, hidden),
                                     nn.Tanh(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(),
                                     nn.Linear(hidden, 784), nn.Unflatten(-1, (1, 28, 28)))

    def forward(self, x):
        loc, log_variance = self.encoder(x).chunk(2, -1)
        z = loc + torch.exp(0.5 * log_variance) * torch.randn_like(loc)
        kl = 0.5 * (loc ** 2 + log_variance.exp() - 1 - log_variance).sum(-1)
        return (bernoulli(self.decoder(z), x) + kl).mean()


class ConvVAE(DenseVAE):
    """Strided convolutions down to 7x7, and their mirror."""

    def __init__(self, channels, latent, **_):
        nn.Module.__init__(self)
        a, b = channels
        self.encoder = nn.Sequential(nn.Conv2d(1, a, 3, 2, 1), nn.ReLU(), nn.Conv2d(a, b, 3, 2, 1), nn.ReLU(),
                                     nn.Flatten(), nn.Linear(49 * b, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 49 * b), nn.ReLU(), nn.Unflatten(-1, (b, 7, 7)),
                                     nn.ConvTranspose2d(b, a, 3, 2, 1, 1), nn.ReLU(),
                                     nn.ConvTranspose2d(a, 1, 3, 2, 1, 1))


class IWAE(DenseVAE):
    """The bound of k draws (k of the batch's rows in a dimension before it)."""

    def __init__(self, hidden, latent, k, **_):
        super().__init__(hidden, latent)
        self.k = k

    def forward(self, x):
        q = torch.distributions.Normal(*self.parameters_of(x))
        z = q.rsample((self.k,))
        log_w = (
            torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
            - q.log_prob(z).sum(-1)
            - bernoulli(self.decoder(z), x)
        )
        return -(torch.logsumexp(log_w, 0) - math.log(self.k)).mean()

    def parameters_of(self, x):
        loc, log_variance = self.encoder(x).chunk(2, -1)
        return loc, torch.exp(0.5 * log_variance)


class Residual(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, hidden, 3, padding=1), nn.ReLU(),
                                  nn.Conv2d(hidden, channels, 1))

    def forward(self, h):
        return h + self.body(h)


class VQVAE(nn.Module):
    """The first stage: encoder and decoder by the straight-through gradient, the codebook by moving averages."""

    def __init__(self, channels, residuals, residual_channels, entries, size, beta=0.25, decay=0.99, **_):
        super().__init__()

        def blocks():
            return [Residual(channels, residual_channels) for _ in range(residuals)]

        self.encoder = nn.Sequential(nn.Conv2d(1, channels, 4, 2, 1), nn.ReLU(), nn.Conv2d(channels, channels, 4, 2, 1),
                                     nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1), *blocks(), nn.ReLU(),
                                     nn.Conv2d(channels, size, 1))
        self.decoder = nn.Sequential(nn.Conv2d(size, channels, 3, padding=1), *blocks(), nn.ReLU(),
                                     nn.ConvTranspose2d(channels, channels, 4, 2, 1), nn.ReLU(),
                                     nn.ConvTranspose2d(channels, 1, 4, 2, 1))
        self.beta, self.decay = beta, decay
        self.register_buffer("counts", torch.ones(entries))
        self.register_buffer("sums", torch.randn(entries, size))

    def forward(self, x):
        z = self.encoder(x).permute(0, 2, 3, 1)
        flat, codebook = z.detach().flatten(0, 2), self.sums / self.counts[:, None].clamp(min=1e-5)
        codes = torch.cdist(flat, codebook).argmin(-1)
        found = codebook[codes].view_as(z)
        if self.training:
            used = F.one_hot(codes, len(codebook)).float()
            self.counts.lerp_(used.sum(0), 1 - self.decay)
            self.sums.lerp_(used.T @ flat, 1 - self.decay)
        commitment = (z - found).square().flatten(1).sum(-1)
        through = (z + (found - z).detach()).permute(0, 3, 1, 2)
        return (bernoulli(self.decoder(through), x) + self.beta * commitment).mean()


TWINS = dict(vae=DenseVAE, vae_conv=ConvVAE, iwae=IWAE, vq_vae=VQVAE)
