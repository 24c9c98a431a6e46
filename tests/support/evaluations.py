"""Evaluated runs of a few tiny models, made once for the tests that look at them."""

import functools
import json
import math

import numpy as np
import pytest

from tests.support import runs
from trainers import evaluate
from trainers.data import evaluation_batches, open_dataset
from trainers.runs import run as run_module
from zoo import random

CASES = {
    "vae": dict(model="vae"),
    "pixel_cnn": dict(model="pixel_cnn",
                      arguments=dict(levels=4, channels=4, blocks=1, kernel_size=3, head_channels=4, classes=10)),
    "real_nvp": dict(model="real_nvp", arguments=dict(levels=17, couplings=2, hidden=(4,))),
    "ddpm": dict(model="ddpm", arguments=dict(levels=17, timesteps=4, channels=4, multipliers=(1,))),
    "gan": dict(model="gan", dataset="toy2d/eight_gaussians", shape=runs.POINT,
                arguments=dict(generator_hidden=(4,), discriminator_hidden=(4,))),
    "real_nvp_points": dict(model="real_nvp", dataset="toy2d/eight_gaussians", shape=runs.POINT,
                            arguments=dict(couplings=2, hidden=(4,))),
}
NUM = 50  # examples; not a multiple of the batch of 16


class Case:
    """A run, its records by metric, and the examples on which they were measured."""

    def __init__(self, folder, name):
        self.path = runs.make(folder / name, **CASES[name])
        assert evaluate.run(["zoo-evaluate", f"--workdir={self.path}", f"--num_examples={NUM}", "--batch_size=16",
                             "--seed=3"]) == 0
        self.records = {record["metric"]: record for record in json.loads((self.path / "results.json").read_text())}
        self.run = run_module.load(self.path)
        self.model = self.run.model
        self.dataset = open_dataset(self.run.description["dataset"])
        batch = next(iter(evaluation_batches(self.dataset, "test", self.model.domain, NUM, 3, self.run.config.data,
                                             limit=NUM)))
        self.x, self.condition = batch if isinstance(batch, tuple) else (batch, None)

    def rows(self, purpose):
        return random.rows(random.fold_in(random.seed(3), purpose), NUM)

    def check(self, metric, values, unit, kind, rtol=1e-5):
        record, values = self.records[metric], np.asarray(values, np.float64)
        np.testing.assert_allclose(record["value"], values.mean(), rtol=rtol)
        np.testing.assert_allclose(record["stderr"], math.sqrt(((values - values.mean()) ** 2).sum() / (NUM - 1) / NUM),
                                   rtol=10 * rtol)
        assert (record["unit"], record["kind"]) == (unit, kind)
        assert record["protocol"]["num_examples"] == NUM and record["protocol"]["evaluation_seed"] == 3


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return functools.cache(lambda name: Case(folder, name))
