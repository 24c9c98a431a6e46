"""Disentanglement scores of codes that are known: the factors themselves, a rotation of them, one latent for all, and
noise."""

import numpy as np
import pytest

from zoo.metrics import disentanglement


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, [3, 4, 5], (1500, 3))
    spread = (factors - factors.mean(0)) / factors.std(0)
    noise = 0.02 * rng.normal(size=spread.shape)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    codes = dict(own=np.concatenate([spread[:, ::-1] + noise, 1e-3 * rng.normal(size=(1500, 1))], 1),
                 rotated=spread @ rotation + noise,
                 noise=rng.normal(size=(1500, 4)))
    return {name: disentanglement.scores(z, factors) for name, z in codes.items()}


@pytest.mark.parametrize("name",
                         ["beta_vae_score", "factor_vae_score", "mig", "dci_disentanglement", "dci_completeness",
                          "dci_informativeness"])
def test_the_factors_themselves_are_disentangled(found, name):
    assert found["own"][name] > 0.8


def test_rotated_factors_are_informative_and_not_disentangled(found):
    for name in ("mig", "sap", "dci_disentanglement", "dci_completeness"):
        assert found["rotated"][name] < found["own"][name] - 0.15, name
    assert found["rotated"]["dci_informativeness"] > 0.8


def test_noise_has_no_factors(found):
    assert (
        found["noise"]["mig"] < 0.02 and found["noise"]["sap"] < 0.05 and found["noise"]["dci_informativeness"] < 0.45
    )
    assert found["noise"]["beta_vae_score"] < 0.5 and found["noise"]["factor_vae_score"] < 0.5
    assert all(0.0 <= value <= 1.0 for scores in found.values() for value in scores.values())


def test_collapsed_codes_score_nothing():
    factors = np.random.default_rng(0).integers(0, 3, (100, 2))
    assert disentanglement.factor_vae_score(np.zeros((100, 3)), factors, np.random.default_rng(0)) == 0.0


@pytest.mark.parametrize("codes, factors", [((5, 2), (4, 2)), ((5,), (5, 2))])
def test_bad_shapes(codes, factors):
    with pytest.raises(ValueError, match="same examples"):
        disentanglement.scores(np.zeros(codes), np.zeros(factors))


def test_a_factor_that_does_not_vary():
    with pytest.raises(ValueError, match=r"\[1\]"):
        disentanglement.scores(np.zeros((4, 2)), np.array([[0, 1], [1, 1], [0, 1], [1, 1]]))
