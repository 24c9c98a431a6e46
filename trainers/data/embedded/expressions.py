"""`expressions`: arithmetic expressions in one variable, such as `x*sin(2)+3`, drawn from the grammar of the Grammar
VAE's paper, each of them once.

M. J. Kusner, B. Paige, J. M. Hernandez-Lobato, 2017, arXiv:1703.01925: derivations of at most 15 rules, every rule of a
nonterminal as likely as the others.
"""

import random

import tensorflow_datasets as tfds

from zoo.distributions import grammar as grammars

GRAMMAR = "expressions"  # of the zoo
LONGEST = 15  # rules
SIZES = {"train": 10_000, "validation": 1000, "test": 1000}


class Expressions(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(description=__doc__, disable_shuffling=True,
                                              features=tfds.features.FeaturesDict({"text": tfds.features.Text()}))

    def _split_generators(self, dl_manager):
        drawn, first, splits = draw(sum(SIZES.values())), 0, {}
        for split, size in SIZES.items():
            splits[split], first = self._generate_examples(drawn[first:first + size]), first + size
        return splits

    def _generate_examples(self, texts):
        for index, text in enumerate(texts):
            yield index, {"text": text}


def draw(num, seed=0):
    """Returns `num` different expressions in random order; what takes more than `LONGEST` rules is thrown away.
    `random()` alone is the same in every Python."""
    grammar, generator, found = grammars.packaged(GRAMMAR), random.Random(seed), {}
    choices = [[k for k, rule in enumerate(grammar.rules) if rule.left == left]
               for left in range(len(grammar.nonterminals))]
    while len(found) < num:
        rules, left = [], [grammar.start]
        while left and len(rules) < LONGEST:
            among = choices[left.pop()]
            rules.append(among[int(generator.random() * len(among))])
            left += [s for s in grammar.rules[rules[-1]].right[::-1] if not isinstance(s, str)]
        if not left:
            found.setdefault(grammar.expand(rules)[0])
    # else the short ones, which come soon, would all be in the first split
    return sorted(found, key=lambda _: generator.random())
