"""The stack machine of the graph against one in Python: what may stand, and what is drawn."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.grammars import GRAMMARS
from zoo.distributions import categories
from zoo.distributions.derivations import Derivations
from zoo.distributions.grammar import Grammar

LENGTHS = {"sums": 7, "nested": 6, "pairs": 8, "ambiguous": 7, "palindromes": 4, "overlapping": 3, "finite": 5}


class Machine:
    """The stack of nonterminals, in Python: which rules may stand next, and what one does."""

    def __init__(self, grammar, length, finish):
        self.grammar, self.steps, self.finish = grammar, length, finish
        self.stack = [grammar.start]

    def may(self):
        grammar = self.grammar
        if not self.stack:
            return [grammar.done]
        found = [k for k, rule in enumerate(grammar.rules) if rule.left == self.stack[-1]]
        if self.finish:
            found = [k for k in found if sum(grammar.shortest[s] for s in self.stack[:-1] + self.inner(k)) <= self.steps
                     - 1]
        return found

    def inner(self, rule):
        return (
            [s for s in self.grammar.rules[rule].right if not isinstance(s, str)] if rule != self.grammar.done else []
        )

    def take(self, rule):
        self.steps -= 1
        if rule != self.grammar.done:
            self.stack.pop()
            self.stack += self.inner(rule)[::-1]


@pytest.mark.parametrize("finish", [True, False])
@pytest.mark.parametrize("name", GRAMMARS)
def test_what_may_stand_is_what_the_stack_says(name, finish):
    """In parallel, of random walks of the machine in Python: also of those that a wrong rule ends."""
    grammar, length, rng = Grammar(GRAMMARS[name][0]), LENGTHS[name], np.random.default_rng(0)
    x, may, right = np.zeros((60, length), np.int32), np.zeros((60, length, grammar.size),
                                                               bool), np.ones((60, length), bool)
    for row in range(60):
        machine = Machine(grammar, length, finish)
        for t in range(length):
            may[row, t, machine.may()] = True
            x[row, t] = rng.choice(machine.may())
            if row % 3 == 0 and rng.random() < 0.1:  # a wrong rule, after which nothing is promised
                x[row, t:] = rng.integers(0, grammar.size, length - t)
                right[row, t + 1:] = False
                break
            machine.take(x[row, t])
    found = Derivations(grammar, length, finish).allowed(tf.constant(x)).numpy()
    np.testing.assert_array_equal(found[right], may[right])
    assert may[right].any(-1).all() and not may[right].all(-1).any()


@pytest.mark.parametrize("finish", [True, False])
@pytest.mark.parametrize("name", GRAMMARS)
def test_the_machine_of_the_graph_is_that_of_python(name, finish):
    grammar, length = Grammar(GRAMMARS[name][0]), LENGTHS[name]
    logits = tf.random.stateless_normal([50, length, grammar.size], [3, 4], stddev=2.0)
    noise = tf.random.stateless_uniform([50, length], [5, 6])
    both = Derivations(grammar, length, finish)
    drawn, likeliest = both.draw(logits, noise).numpy(), both.likeliest(logits).numpy()
    assert drawn.dtype == likeliest.dtype == np.int32
    for row in range(50):
        for found, uniform in ((drawn[row], noise[row].numpy()), (likeliest[row], None)):
            machine = Machine(grammar, length, finish)
            for t in range(length):
                may = machine.may()
                among = tf.where(np.isin(np.arange(grammar.size), may), logits[row, t], -np.inf)
                expected = (
                    tf.argmax(among) if uniform is None else categories.from_noise(among, tf.constant(uniform[t]))
                )
                assert found[t] == int(expected)
                machine.take(found[t])
            assert (not machine.stack) == grammar.expand(found)[1]
    np.testing.assert_array_equal(both.complete(drawn), [grammar.expand(rules)[1] for rules in drawn])
    assert not finish or both.complete(drawn).numpy().all()
