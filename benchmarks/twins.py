"""The peers: the same shapes of model in plain, idiomatic PyTorch, as its users write them; imports nothing of the zoo.

    python -m benchmarks.twins NAME SECONDS    trains on random data and prints a line of JSON
"""

import json
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import latent_twins
from benchmarks.shapes import SHAPES


class LoopedFVSBN(nn.Module):
    """A logistic regression per pixel, one after the other."""

    def __init__(self, size, **_):
        super().__init__()
        self.units = nn.ModuleList([nn.Linear(max(d, 1), 1) for d in range(size)])

    def forward(self, x):
        first = torch.zeros(len(x), 1)
        logits = torch.cat([unit(x[:, :d] if d else first) for d, unit in enumerate(self.units)], 1)
        return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1).mean()


class LoopedNADE(nn.Module):
    """The running activation of the paper, one pixel after the other."""

    def __init__(self, size, hidden, **_):
        super().__init__()
        self.w, self.c = nn.Parameter(torch.randn(hidden, size) * 0.02), nn.Parameter(torch.zeros(hidden))
        self.v, self.b = nn.Parameter(torch.randn(size, hidden) * 0.02), nn.Parameter(torch.zeros(size))

    def forward(self, x):
        a, logits = self.c.expand(len(x), -1), []
        for d in range(x.shape[1]):
            logits.append(torch.sigmoid(a) @ self.v[d] + self.b[d])
            a = a + x[:, d, None] * self.w[:, d]
        return F.binary_cross_entropy_with_logits(torch.stack(logits, 1), x, reduction="none").sum(1).mean()


class MaskedLinear(nn.Linear):
    def __init__(self, mask):
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask)

    def forward(self, x):
        return F.linear(x, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    def __init__(self, size, hidden, **_):
        super().__init__()
        inputs, units = torch.arange(1, size + 1), torch.arange(hidden) % (size - 1) + 1
        self.net = nn.Sequential(MaskedLinear((units[:, None] >= inputs).float()), nn.ReLU(),
                                 MaskedLinear((inputs[:, None] > units).float()))

    def forward(self, x):
        return F.binary_cross_entropy_with_logits(self.net(x), x, reduction="none").sum(1).mean()


class MaskedConv2d(nn.Conv2d):
    def __init__(self, inputs, outputs, kernel, kind):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        mask = torch.ones_like(self.weight)
        mask[:, :, kernel // 2, kernel // 2 + (kind == "B"):] = 0
        mask[:, :, kernel // 2 + 1:] = 0
        self.register_buffer("mask", mask)

    def forward(self, x):
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class PixelCNNBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.net = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, channels // 2, 1), nn.ReLU(),
                                 MaskedConv2d(channels // 2, channels // 2, 3, "B"), nn.ReLU(),
                                 nn.Conv2d(channels // 2, channels, 1))

    def forward(self, x):
        return x + self.net(x)


class PixelCNN(nn.Module):
    def __init__(self, channels, blocks, **_):
        super().__init__()
        self.net = nn.Sequential(MaskedConv2d(1, channels, 7, "A"), *[PixelCNNBlock(channels) for _ in range(blocks)],
                                 nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, 1, 1))

    def forward(self, x):
        return F.binary_cross_entropy_with_logits(self.net(2 * x - 1), x, reduction="none").sum((1, 2, 3)).mean()


class GatedLayer(nn.Module):
    """Vertical and horizontal stack; a kernel of n x n becomes n // 2 + 1 rows above, and n // 2 + 1 pixels to the
    left."""

    def __init__(self, inputs, channels, kernel, first):
        super().__init__()
        self.kernel, self.first = kernel, first
        self.vertical = nn.Conv2d(inputs, 2 * channels, (kernel // 2 + 1, kernel),
                                  padding=(kernel // 2 + 1, kernel // 2))
        self.horizontal = nn.Conv2d(inputs, 2 * channels, (1, kernel // 2 + (not first)),
                                    padding=(0, kernel // 2 + first))
        self.link, self.out = nn.Conv2d(2 * channels, 2 * channels, 1), nn.Conv2d(channels, channels, 1)

    @staticmethod
    def gate(h):
        a, b = h.chunk(2, 1)
        return torch.tanh(a) * torch.sigmoid(b)

    def forward(self, v, h):
        height, width = v.shape[2:]
        up = self.vertical(v)
        shifted = up[:, :, :height]  # rows strictly above
        across = self.horizontal(h)[..., :width]
        new = self.out(self.gate(across + self.link(shifted)))
        return self.gate(up[:, :, 1:height + 1]), new if self.first else h + new


class GatedPixelCNN(nn.Module):
    def __init__(self, channels, blocks, **_):
        super().__init__()
        self.layers = nn.ModuleList([GatedLayer(1, channels, 7, True),
                                     *[GatedLayer(channels, channels, 3, False) for _ in range(blocks)]])
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, 1, 1))

    def forward(self, x):
        v = h = 2 * x - 1
        for layer in self.layers:
            v, h = layer(v, h)
        return F.binary_cross_entropy_with_logits(self.head(h), x, reduction="none").sum((1, 2, 3)).mean()


class Block(nn.Module):
    """A pre-norm decoder block, with the library's own attention."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (t.view(batch, length, self.heads, -1).transpose(1, 2)
                   for t in self.qkv(self.norm_1(x)).split(width, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.norm_2(x))


class GPT(nn.Module):
    def __init__(self, length, levels, width, heads, layers, **_):
        super().__init__()
        self.tokens, self.places = nn.Embedding(levels, width), nn.Embedding(length, width)
        self.start = nn.Parameter(torch.zeros(width))
        self.blocks, self.norm = nn.Sequential(*[Block(width, heads) for _ in range(layers)]), nn.LayerNorm(width)

    def forward(self, x):
        start = self.start.expand(len(x), 1, -1)
        h = torch.cat([start, self.tokens(x[:, :-1])], 1) + self.places.weight
        logits = F.linear(self.norm(self.blocks(h)), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1), x.flatten(), reduction="sum") / len(x)


class WaveNet(nn.Module):
    def __init__(self, length, channels, skip, dilations, levels, classes=None, **_):
        super().__init__()
        self.conditioning = (
            nn.ModuleList([nn.Embedding(classes, 2 * channels) for _ in dilations])
            if classes
            else [None] * len(dilations)
        )
        # the last row stands before the first sample
        self.embedding, self.dilations = nn.Embedding(levels + 1, channels), dilations
        self.gates = nn.ModuleList([nn.Conv1d(channels, 2 * channels, 2, dilation=d) for d in dilations])
        # nothing reads the last layer's
        self.residuals = nn.ModuleList([nn.Conv1d(channels, channels, 1) for _ in dilations[1:]])
        self.skips = nn.ModuleList([nn.Conv1d(channels, skip, 1) for _ in dilations])
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(skip, skip, 1), nn.ReLU(), nn.Conv1d(skip, levels, 1))
        self.levels = levels

    def forward(self, x, labels=None):
        codes = torch.round((torch.sign(x) * torch.log1p(255 * x.abs()) / torch.log(torch.tensor(256.0)) + 1) / 2
                            * (self.levels - 1)).long()
        h, skips = self.embedding(F.pad(codes[:, :-1], (1, 0), value=self.levels)).transpose(1, 2), 0
        for dilation, gate, residual, skip, context in zip(self.dilations, self.gates, [*self.residuals, None],
                                                           self.skips, self.conditioning):
            u = gate(F.pad(h, (dilation, 0)))
            a, b = (u if context is None else u + context(labels)[..., None]).chunk(2, 1)
            z = torch.tanh(a) * torch.sigmoid(b)
            skips, h = skips + skip(z), h + residual(z) if residual else h
        return F.cross_entropy(self.head(skips), codes, reduction="sum") / len(x)


TWINS = dict(fvsbn=LoopedFVSBN, nade=LoopedNADE, made=MADE, pixel_cnn=PixelCNN, gated_pixel_cnn=GatedPixelCNN,
             image_gpt=GPT, gpt=GPT, wavenet=WaveNet) | latent_twins.TWINS


def data(shape):
    """Random examples of the shape's kind."""
    generator = torch.Generator().manual_seed(0)
    if shape.kind == "binary":
        return (torch.rand(shape.batch, *shape.example, generator=generator) < 0.2).float()
    if shape.kind == "waveform":
        return 2 * torch.rand(shape.batch, *shape.example, generator=generator) - 1
    return torch.randint(shape.levels, (shape.batch, *shape.example), generator=generator)


def main(name, seconds):
    shape = SHAPES[name]
    model, x = TWINS[name](**shape.twin), data(shape)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def step():
        optimizer.zero_grad(set_to_none=True)
        model(x).backward()
        optimizer.step()

    step(), step()
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < seconds or len(times) < 3:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps(dict(seconds=sorted(times)[len(times) // 2], steps=len(times),
                          weights=sum(p.numel() for p in model.parameters()),
                          peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
