"""Between the samples of two seeds: the ends are theirs, the noise on the way is as standard normal as theirs, and
programs and exports go there.
"""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import zoo
from tests.support import cases, runs
from tests.support.diffusions import perturbed
from trainers import sample
from zoo import random
from zoo.capabilities import SeedInterpolating, capabilities
from zoo.domain import take_rows
from zoo.serving.signatures import signatures

MODELS = sorted(name for name, cls in zoo.MODELS.items() if issubclass(cls, SeedInterpolating))


def ends(num):
    return random.rows(random.seed(1), num), random.rows(random.seed(2), num)


def test_models_without_an_encoder_whose_noise_is_normal_have_such_a_path():
    assert {"gan", "ddpm"} <= set(MODELS)
    for name in MODELS:
        can = capabilities(zoo.MODELS[name])
        assert "interpolate" in can and "encode" not in can, name


def test_the_noise_on_the_way_is_standard_normal_and_moves_with_the_weight():
    seeds0, seeds1 = ends(300)
    for weight in (0.25, 0.5, 0.8):
        way = random.Between(seeds0, seeds1, tf.fill([300], weight))
        eps = random.normal_rows(random.fold_in_rows(way, 7), [40]).numpy().ravel()
        assert scipy.stats.kstest(eps, "norm").pvalue > 1e-3
        first = random.normal_rows(random.fold_in_rows(seeds0, 7), [40]).numpy().ravel()
        assert abs(np.corrcoef(eps, first)[0, 1] - np.cos(weight * np.pi / 2)) < 0.04


@pytest.mark.parametrize("name", MODELS)
def test_the_ends_are_the_samples_and_the_way_is_continuous(name):
    points = dict(levels=None, network="dense", shape=(3,), attention=()) if name == "ddpm" else {}
    model = perturbed(cases.make(name, **points), 0.05)
    seeds0, seeds1 = ends(4)
    condition = model.domain.split(cases.batch(model, 4))[1]
    for weight, end in ((0.0, seeds0), (1.0, seeds1)):
        found = model.sample_between(seeds0, seeds1, weight, condition)
        np.testing.assert_allclose(found, model.sample(end, condition), rtol=1e-4, atol=1e-5)
    at, first = np.linspace(0, 1, 200), take_rows((seeds0, seeds1, condition), tf.zeros([200], tf.int32))
    path = np.array(model.sample_between(*first[:2], at, first[2]))
    way = np.abs(path[-1] - path[0]).max()
    assert 0.0 < np.abs(np.diff(path, axis=0)).max() < 0.2 * way  # the noise moves by less than a hundredth at a time
    for weight, said in ((1.5, "weight must be 0 to 1, found 1.5"), ([0.5, 0.5], "one for each of 4 rows, found 2")):
        with pytest.raises(ValueError, match=said):
            model.sample_between(seeds0, seeds1, weight, condition)
    with pytest.raises(ValueError, match="seeds must be int32"):  # a number of examples would be a seed as well
        model.sample_between(4, 5, 0.5, condition)


def test_an_export_goes_between_seeds():
    model = cases.shared("gan")
    found = signatures(model, 3)["interpolate"]
    inputs = found.example(np.random.default_rng(0))
    expected = model.sample_between(inputs["seed0"], inputs["seed1"], inputs["weight"])
    np.testing.assert_allclose(found.function(**inputs)["sample"], expected, atol=1e-6)


def test_zoo_sample_draws_paths_between_samples(tmp_path, capsys):
    small = dict(latent_size=3, generator_hidden=(4,), discriminator_hidden=(5,))
    folder = runs.make(tmp_path / "run", "gan", "toy2d/two_moons", runs.POINT, small)
    out = tmp_path / "paths.npy"
    drawn = ["zoo-sample", f"--workdir={folder}", f"--out={out}"]
    assert sample.run([*drawn, "--mode=interpolate", "--num_samples=3"]) == 0
    paths = np.load(out)
    assert paths.shape == (3, 10, 2)
    assert sample.run([*drawn, "--num_samples=6"]) == 0
    np.testing.assert_allclose(paths[:, [0, -1]].reshape(6, 2), np.load(out), atol=1e-5)
    assert sample.run([*drawn, "--mode=interpolate", "--path=linear"]) == 2
    assert "--path: model 'gan' has no codes" in capsys.readouterr().err
