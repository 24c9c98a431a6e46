"""The form of a recipe."""

import dataclasses
from typing import NamedTuple

ANY = "*"  # the data set of a recipe that serves the user's own data


class Published(NamedTuple):
    """A published number: its metric and unit as the records name them, and where it was read."""

    metric: str
    value: float
    unit: str
    source: str


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What trains `model` on `dataset`; every entry but the first two, `published` and `variant` can be set by
    `--config.KEY=VALUE`.

    arguments: the model's constructor's, where they differ from its defaults (its shape comes from the data set);
    classes=0 is none.
    batch_size: global, over all replicas. steps: optimizer steps of each player.
    optimizer: Keras class in lower case and its arguments; decay_all: whether weight decay takes biases, scales and
    whatever else has fewer than two dimensions too. players: {player: arguments that differ}, of the players that may
    differ.
    schedule: of the learning rate (`trainers.training.optimizers` lists them). ema: decay of the weights' moving
    average, less in the first steps; 0 for none.
    clip_norm: global norm to which all-reduced gradients are clipped, 0 for none. skip_norm: that above which, or where
    it is not finite, a player's update is skipped, 0 for never.
    accumulation: equal parts in which a replica's batch is taken, one after the other, for one update: their gradients'
    mean, in a part's memory.
    data: what is asked of the data set's reader, entries that `trainers.data.options` declares for each kind of data.
    selection: every (steps between two looks at the validation split, the best weights so far being kept as the run's;
    0: the last ones are)
        and patience (looks without an improvement that end the run; 0: none do).
    variant: name by which `--variant` chooses it; empty: what is taken without that flag.
    evaluation: importance_samples of the bound, how many generated samples sample-based metrics take, and of how many
    examples a part is hidden.
    """

    model: str
    dataset: str
    steps: int
    batch_size: int
    arguments: dict = dataclasses.field(default_factory=dict)
    optimizer: dict = dataclasses.field(default_factory=dict)
    players: dict = dataclasses.field(default_factory=dict)
    schedule: dict = dataclasses.field(default_factory=dict)
    ema: float = 0.0
    clip_norm: float = 0.0
    skip_norm: float = 0.0
    accumulation: int = 1
    data: dict = dataclasses.field(default_factory=dict)
    selection: dict = dataclasses.field(default_factory=dict)
    evaluation: dict = dataclasses.field(default_factory=dict)
    published: tuple = ()
    variant: str = ""


OPTIMIZER = dict(name="adam", learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.0,
                 decay_all=False)
SCHEDULE = dict(name="constant", warmup_steps=0, end=0.0, decay=1.0)
SELECTION = dict(every=0, patience=0)
# the 5,000 of Burda et al. 2015 and those after them
EVALUATION = dict(importance_samples=5000, samples=1000, completions=100)
FEWER_DRAWS = dict(importance_samples=100)  # where 5,000 take minutes to hours on a core

# Of drawings, whichever family the model is of. The rate is that of the paper's code, which takes batches of 100 and
# clips gradients at 1 for a loss that is divided by the steps, 200 or so, of a sketch.
SKETCH_RATE = dict(name="exponential", decay=0.9999)
SKETCHES = dict(optimizer=dict(learning_rate=4e-3), schedule=dict(name="cosine", warmup_steps=50), clip_norm=50.0,
                ema=0.99)
DRAWINGS = dict(optimizer=dict(learning_rate=2e-3), schedule=dict(name="cosine", warmup_steps=100), clip_norm=50.0,
                ema=0.995, selection=dict(every=250, patience=10), data=dict(length=64))
