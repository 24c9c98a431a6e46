"""beta-VAE and beta-TCVAE: what is weighed, and the decomposition of the KL term against sums over a whole data set."""

import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import cases
from trainers import train
from zoo import random
from zoo.latent import beta_tcvae

TINY = dict(shape=(4, 3, 1), levels=2, latent_size=2, network="dense", hidden=(5,), activation="tanh")


def make(cls, **arguments):
    keras.utils.set_random_seed(2)
    return cls(**(TINY | arguments))


def test_beta_weighs_the_rate_of_training_alone():
    one, four = make(zoo.BetaVAE, beta=1.0), make(zoo.BetaVAE, beta=4.0, warmup_steps=10)
    x, seed, seeds = cases.batch(one, 6), random.seed(1), random.rows(random.seed(2), 6)
    plain, dear = one.objective(x, seed), four.objective(x, seed)
    np.testing.assert_allclose(dear["reconstruction"], plain["reconstruction"], rtol=1e-6)
    np.testing.assert_allclose(dear["kl"], 4.0 * plain["kl"], rtol=1e-5)
    np.testing.assert_allclose(four.objective(x, seed, tf.constant(5))["kl"], 2.0 * plain["kl"], rtol=1e-5)
    np.testing.assert_allclose(four.elbo(x, seeds), one.elbo(x, seeds), rtol=1e-6)


def test_the_total_correlation_is_weighed_alone():
    one, six = (make(zoo.BetaTCVAE, beta=beta, num_examples=100) for beta in (1.0, 6.0))
    x, seed = cases.batch(one, 6), random.seed(1)
    plain, dear = one.objective(x, seed), six.objective(x, seed)
    for name in plain:
        np.testing.assert_allclose(dear[name], (6.0 if name == "total_correlation" else 1.0) * plain[name], rtol=1e-4,
                                   atol=1e-5)
    # The three parts of the KL term are a sum that telescopes, whatever the estimate of q(z): log q(z|x) - log p(z).
    z, log_q = one.posterior(x).draw(tf.random.stateless_normal([6, 2], seed))
    parts = plain["mutual_information"] + plain["total_correlation"] + plain["dimension_wise_kl"]
    np.testing.assert_allclose(parts, log_q - one.log_prior(z), rtol=1e-4, atol=1e-4)


def test_the_aggregate_is_unbiased():
    """With all N examples in a batch the estimate of q(z), averaged over which example comes next to the code's own, is
    the mean of all posteriors."""
    loc, log_scale = tf.random.stateless_normal([7, 2], [1, 2]), tf.random.stateless_normal([7, 2], [3, 4], stddev=0.3)
    z = tf.random.stateless_normal([7, 2], [5, 6])
    found = []
    for turn in range(6):
        order = np.append(0, 1 + (np.arange(6) + turn) % 6)
        log_qz, log_marginals = beta_tcvae.aggregate(*(tf.gather(t, order) for t in (z, loc, log_scale)), 7)
        found.append((np.exp(log_qz[0]), float(log_marginals[0])))
    density = np.exp(-0.5 * ((z[:1] - loc) / np.exp(log_scale)) ** 2 - log_scale) / np.sqrt(2 * np.pi)  # [posterior, D]
    np.testing.assert_allclose(np.mean([qz for qz, _ in found]), density.prod(-1).mean(), rtol=1e-4)
    # of a logarithm, so about
    np.testing.assert_allclose(np.mean([m for _, m in found]), np.log(density.mean(0)).sum(), atol=0.3)


@pytest.mark.parametrize("size, num", [(2, 10), (5, 5), (5, 1000), (1, 10), (8, 3)])
def test_stratified_weights_are_a_distribution_with_the_code_s_own_share(size, num):
    weights = np.exp(beta_tcvae.log_stratified_weights(size, num))
    np.testing.assert_allclose(weights.sum(1), 1.0, rtol=1e-5)
    if 1 < size <= num:
        np.testing.assert_allclose(np.diag(weights), 1.0 / num, rtol=1e-5)


@pytest.mark.parametrize("cls, arguments",
                         [(zoo.BetaVAE, dict(beta=0.0)), (zoo.BetaVAE, dict(warmup_steps=-1)),
                          (zoo.BetaTCVAE, dict(beta=-1.0)),
                          (zoo.BetaTCVAE, dict(num_examples=0)), (zoo.BetaVAE, dict(network="mlp")),
                          (zoo.BetaTCVAE, dict(latent_size=0))])
def test_bad_arguments(cls, arguments):
    with pytest.raises(ValueError):
        cls(**(TINY | arguments))


def test_the_trainer_takes_the_data_set_s_size(tmp_path, monkeypatch):
    command = ["zoo-train", "--model=beta_tcvae", "--dataset=digits", "--steps=1", "--sample_every=0", "--noexport",
               "--config.model.network=dense", "--config.model.hidden=(4,)"]
    for name, flags, size in (("own", [], 1437), ("given", ["--config.model.num_examples=99"], 99)):
        monkeypatch.setattr(sys, "argv", [*command, *flags])
        assert train.run([*command, *flags, f"--workdir={tmp_path / name}"]) == 0
        assert json.loads((tmp_path / name / "config.json").read_text())["config"]["model"]["num_examples"] == size
