"""Grammar VAE: probabilities that sum to one, decodings that all parse, bounds below log p by quadrature."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.grammars import GRAMMARS, derivations
from tests.support.variationals import trained
from trainers.data.grammars import Parser
from zoo import operations, random
from zoo.distributions import grammar as zoo_grammars
from zoo.distributions.derivations import Derivations
from zoo.distributions.grammar import Grammar
from zoo.latent.grammar_vae import GrammarVAE

TREES = "S -> 'a' S T | 'b' | ''\nT -> S 'c' | 'd'"


def make(**arguments):
    """A tiny model whose places depend on the code."""
    keras.utils.set_random_seed(7)
    model = GrammarVAE(**dict(shape=(4,), grammar=TREES, latent_size=2, filters=(4,), kernels=(2,), dense=6, hidden=5,
                              layers=2) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(size=weight.shape, scale=0.5))
    return model


def every_sequence(length, size):
    return np.array(list(itertools.product(range(size), repeat=length)), np.int32)


@pytest.mark.parametrize("name, length", [("sums", 6), ("nested", 4), ("finite", 3), ("ambiguous", 5)])
def test_probabilities_of_all_derivations_sum_to_one(name, length):
    """Given a code: with `finish` over those that end, and those alone are possible; without over all sequences, a part
    of which is cut off."""
    grammar = Grammar(GRAMMARS[name][0])
    x = every_sequence(length, grammar.size)
    whole = [list(rules) + [grammar.done] * (length - len(rules)) for rules in derivations(grammar, length)]
    is_whole = (x[:, None] == np.array(whole)).all(-1).any(-1)
    for finish in (True, False):
        model = make(shape=(length,), grammar=grammar.text, finish=finish)
        log_prob = model.likelihood(model.logits(tf.constant([[0.7, -1.2]])),
                                    model.allowed(x)).log_prob(x).numpy().astype(np.float64)
        assert np.exp(log_prob).sum() == pytest.approx(1.0, abs=1e-5)
        assert (
            np.exp(log_prob[is_whole]).sum() == pytest.approx(1.0, abs=1e-5)
            if finish
            else 1e-3 < np.exp(log_prob[is_whole]).sum() < 0.999
        )
        assert np.all(log_prob[is_whole] > -50) and (not finish or np.all(log_prob[~is_whole] < -1e6))
        assert np.std(log_prob[is_whole]) > 0.05


def test_the_likelihood_is_the_masked_product():
    model = make(finish=False)
    grammar = model.derivations.grammar
    logits, x = model.logits(tf.constant([[0.3, 0.1]]))[0].numpy().astype(np.float64), [0, 1, 4, 5]  # a b d, done
    expected = 0.0
    for t, (rule, among) in enumerate(zip(x, ([0, 1, 2], [0, 1, 2], [3, 4], [5]))):
        expected += logits[t, rule] - np.log(np.exp(logits[t, among]).sum())
    assert grammar.expand(x) == ("abd", True)
    np.testing.assert_allclose(model.likelihood(model.logits(tf.constant([[0.3, 0.1]])),
                                                model.allowed(tf.constant([x]))).log_prob([x]), [expected], rtol=1e-5)


@pytest.mark.parametrize("name, length", [("smiles", 40), ("expressions", 15), ("spaced_expressions", 2), (TREES, 9)])
def test_all_decodings_parse(name, length):
    """1,000 random codes of random weights, from mild to extreme: what is drawn and the likeliest are strings of the
    grammar."""
    grammar = zoo_grammars.packaged(name) if name in zoo_grammars.names() else Grammar(name)
    parser, both = Parser(grammar), Derivations(grammar, length)
    strings = set()
    for scale in (0.1, 1.0, 10.0, 1000.0):
        logits = tf.random.stateless_normal([250, length, grammar.size], [int(10 * scale), 1], stddev=scale)
        for x in (both.draw(logits, tf.random.stateless_uniform([250, length], [2, 3])), both.likeliest(logits)):
            for rules in x.numpy():
                string, whole = grammar.expand(rules)
                assert whole and parser.derives(string), string
                strings.add(string)
    assert len(strings) > {2: 3, 9: 50}.get(length, 300)


def test_all_decodings_of_models_parse():
    grammar = zoo_grammars.packaged("expressions")
    parser = Parser(grammar)
    for seed in range(2):
        keras.utils.set_random_seed(seed)
        model = GrammarVAE(shape=(14,), latent_size=2, hidden=8, layers=1)
        for weight in model.weights:
            weight.assign(weight * 5.0)
        for x in (model.sample(random.rows(random.seed(seed), 250)),
                  model.decode(3.0 * random.normal_rows(random.rows(random.seed(seed), 250), [2]))):
            assert all(parser.derives(grammar.expand(rules)[0]) and grammar.expand(rules)[1] for rules in x.numpy())


def test_without_finish_what_is_cut_off_is_told_from_what_is_whole():
    grammar = zoo_grammars.packaged("expressions")
    both = Derivations(grammar, 8, finish=False)
    x = both.draw(tf.zeros([400, 8, 12]), tf.random.stateless_uniform([400, 8], [1, 1]))
    whole = both.complete(x).numpy()
    assert 0.1 < whole.mean() < 0.9
    parser = Parser(grammar)
    for rules, ended in zip(x.numpy(), whole):
        string, said = grammar.expand(rules)
        assert said == ended and parser.derives(string) == ended == ("⟨" not in string)


def test_derivations_occur_as_often_as_log_prob_says():
    model, num = make(), 4096
    z = tf.constant([[0.4, -0.8]])
    logits = tf.repeat(model.logits(z), num, 0)
    drawn = model.draw(logits, random.uniform_rows(random.rows(random.seed(1), num), [4])).numpy()
    x = every_sequence(4, 6)
    p = np.exp(model.likelihood(model.logits(z), model.allowed(x)).log_prob(x))
    share = np.bincount(drawn @ [216, 36, 6, 1], minlength=len(x)) / num
    assert np.all(np.abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 1e-9)


@pytest.mark.parametrize("beta", [1.0, 0.2])
def test_bounds_lie_below_log_p_by_quadrature(beta):
    """One latent: log p(x) is an integral over a line. The bounds do not know the loss's beta."""
    model = make(latent_size=1, beta=beta)
    for weight in model.head.weights:
        weight.assign(0.3 * weight)
    x = np.array([list(rules) + [5] * (4 - len(rules)) for rules in derivations(model.derivations.grammar, 4)],
                 np.int32)
    grid = np.linspace(-8.0, 8.0, 2001)
    # log_p: [x, grid]
    log_p = np.stack([model.likelihood(model.logits(tf.constant(grid[:, None], tf.float32)),
                                       model.allowed(row[None])).log_prob(row) for row in x])
    weight = np.exp(-0.5 * grid**2) / math.sqrt(2.0 * math.pi) * (grid[1] - grid[0])
    exact = np.log((np.exp(log_p) * weight).sum(1))
    assert np.exp(exact).sum() == pytest.approx(1.0, abs=1e-4)
    seeds = random.rows(random.seed(0), 1000)
    one_draw, of_ten = tf.function(model.elbo), tf.function(lambda x, seeds: model.log_prob(x, seeds, num_samples=10))
    of_thousand, means = tf.function(lambda x, seeds: model.log_prob(x, seeds, num_samples=1000)), []
    for row, truth in zip(x[::2], exact[::2]):
        rows = tf.repeat(row[None], 1000, 0)
        elbo, ten = one_draw(rows, seeds).numpy(), of_ten(rows, seeds).numpy()
        error = 4.0 * np.std(ten) / math.sqrt(1000)
        assert elbo.mean() < ten.mean() + error < truth + 2.0 * error
        means.append(truth - elbo.mean())
        np.testing.assert_allclose(of_thousand(rows[:20], seeds[:20]).numpy().mean(), truth, atol=0.02)
    assert max(means) > 0.01  # the posterior is not exact, so the bound is not tight


def test_importance_weights_are_the_joint_over_the_posterior():
    model, x = make(), tf.constant([[0, 1, 4, 5], [2, 5, 5, 5]])
    seeds = random.rows(random.seed(0), 2)
    np.testing.assert_allclose(model.log_prob(x, seeds, num_samples=3, chunk=3),
                               model.log_prob(x, seeds, num_samples=3), rtol=1e-5)
    posterior, seeds = model.posterior(x), random.fold_in_rows(seeds, 0)
    z = posterior.mean() + posterior.stddev() * random.normal_rows(seeds, [1, 2])[:, 0]
    weight = (
        model.likelihood(model.logits(z), model.allowed(x)).log_prob(x)
        + model.prior().log_prob(z)
        - posterior.log_prob(z)
    )
    np.testing.assert_allclose(model.log_prob(x, random.rows(random.seed(0), 2), num_samples=1, chunk=1), weight,
                               rtol=1e-5)


def test_the_loss_is_minus_the_bound_with_a_weight_that_grows():
    model, x = make(beta=0.5, warmup_steps=10), tf.constant([[0, 1, 4, 5], [2, 5, 5, 5]])
    first, middle, last, after = (model.objective(x, random.seed(3), step) for step in (0, 5, 10, None))
    rate = model.rate_distortion(x, random.rows(random.seed(3), 2))[0]
    np.testing.assert_array_equal(first["kl"], 0.0)
    for terms, weight in ((middle, 0.25), (last, 0.5), (after, 0.5)):
        np.testing.assert_allclose(terms["kl"], weight * rate, rtol=1e-5)
        np.testing.assert_array_equal(terms["reconstruction"], first["reconstruction"])
    assert list(first) == ["reconstruction", "kl"] and model.players()[0].scheduled


def test_training_learns_to_rebuild_derivations():
    keras.utils.set_random_seed(0)
    model = GrammarVAE(shape=(6,), latent_size=4, filters=(16,), kernels=(3,), dense=32, hidden=32, layers=1, beta=0.02)
    grammar = model.derivations.grammar
    x = tf.constant([list(rules) + [grammar.done] * (6 - len(rules)) for rules in derivations(grammar, 6)][:100],
                    tf.int32)
    losses = trained(model, x, 200)
    decoded = operations.reconstruct(model, x)
    assert losses[-1] < 0.5 * losses[0] and np.mean((decoded == x).numpy().all(1)) > 0.5


def test_interpolations_are_strings_of_the_grammar():
    model = make(shape=(8,))
    x = model.sample(random.rows(random.seed(0), 6))
    between = operations.interpolate(model, x[:3], x[3:], 5)
    assert between.shape == (3, 5, 8) and between.dtype == tf.int32
    np.testing.assert_array_equal(between[:, 0], operations.reconstruct(model, x[:3]))
    assert model.derivations.complete(tf.reshape(between, [-1, 8])).numpy().all()


def test_one_graph_serves_every_batch_size():
    model = make()
    sample = tf.function(model.sample, input_signature=[tf.TensorSpec([None, 2], tf.int32)], autograph=False)
    for num in (1, 5):
        np.testing.assert_array_equal(sample(random.rows(random.seed(1), num)),
                                      model.sample(random.rows(random.seed(1), num)))
    assert sample.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("wrong, said", [
    (dict(shape=(4, 1)), "shape"), (dict(shape=(0,)), "shape"), (dict(grammar="S -> S"), "no derivation from 'S' ends"),
    (dict(grammar="S"), "line 1 of the grammar"),
    (dict(grammar="S -> 'a' T\nT -> 'b' U\nU -> 'c'", shape=(2,)), "takes 3 rules, which a length of 2"),
    (dict(kernels=(2, 3)), "equally many"),
    (dict(kernels=(5,)), "5 places together, and texts have 4"), (dict(latent_size=0), "at least 1"),
    (dict(filters=(0,)), "at least 1"), (dict(beta=0.0), "beta"),
    (dict(warmup_steps=-1), "warmup_steps"), (dict(layers=0), "layers")])
def test_wrong_arguments_raise(wrong, said):
    with pytest.raises(ValueError, match=said):
        make(**wrong)


def test_a_condition_is_refused():
    for call in (lambda m, c: m.sample(random.rows(random.seed(0), 2), c),
                 lambda m, c: m.encode(tf.zeros([2, 4], tf.int32), c), lambda m, c: m.decode(tf.zeros([2, 2]), c)):
        with pytest.raises(ValueError, match="condition"):
            call(make(), tf.zeros([2], tf.int32))
