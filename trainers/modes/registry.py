"""All modes of zoo-sample, in the order in which they are listed: its flags and its checks follow from these."""

from trainers.modes import arithmetic, completions, paths, remade, samples
from trainers.modes.mode import Mode
from zoo.capabilities import capabilities

_ALL = (
    Mode("sample", samples.sample, 64, flags=("mean", "prompt"), controls="sample", conditioned=True,
         of_examples=False),
    Mode("reconstruct", remade.reconstruct, 20),
    Mode("interpolate", paths.interpolate, 8, flags=("path",), conditioned=True),
    Mode("traverse", paths.traverse, 10),
    Mode("arithmetic", arithmetic.arithmetic, 100, flags=("terms",)),
    Mode("manifold", paths.manifold, 400, conditioned=True, of_examples=False, possible=paths.has_plane),
    Mode("denoise", remade.denoise, 20, controls="corrupt"),
    Mode("translate", remade.translate, 20, conditioned=True),
    Mode("complete", completions.complete, 8, flags=("mask",), controls="complete", conditioned=True),
)
MODES = {mode.name: mode for mode in _ALL}


def modes_of(model):
    """Lists the modes that a model has."""
    can = capabilities(model)
    return [mode.name for mode in _ALL if (mode.possible(model) if mode.possible else mode.name in can)]


def taking(control):
    """Lists the modes that take a control (`zoo.control.Control`), as flags."""
    return [f"--mode={mode.name}" for mode in _ALL if mode.controls in control.of]
