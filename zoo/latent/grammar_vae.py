"""Grammar VAE: strings as derivations of a grammar, so that whatever a code decodes to is a string of the grammar.

M. J. Kusner, B. Paige, J. M. Hernandez-Lobato, Grammar Variational Autoencoder, 2017, arXiv:1703.01925.
"""

from zoo.distributions import grammar as grammars
from zoo.distributions.derivations import Derivations
from zoo.latent.parts.sequence_vae import SequenceVAE
from zoo.paper import Paper


class GrammarVAE(SequenceVAE):
    """log p(x|z) = sum_t log Categorical(x_t | logits_t(z), of the rules that rewrite the leftmost nonterminal after
    x_<t), x a derivation of T rules.

    Tokens are the numbers of the grammar's rules, and the last one, `done`, after the last rule of a shorter
    derivation. `decode` and `sample` give such
    derivations too: `zoo.distributions.grammar.Grammar.expand` makes strings of them. Of what is no derivation, log p
    is about -1e9.

    Args:
        shape: (T,), rules of the longest derivation (a place more does no harm).
        grammar: the grammar's text (`zoo.distributions.grammar`); by default the paper's arithmetic expressions.
        latent_size: number of latent dimensions.
        filters, kernels: of the encoder's convolutions over the steps, in their order.
        dense: width of the layer after them.
        hidden, layers: width and number of the decoder's gated recurrent layers.
        finish: rules that can't come to an end within T steps may not stand, so that every derivation is whole. NOTE:
            not in the paper, where one that does not end is no string; with False it is shown with the nonterminals
            that are left.
        beta: weight of the KL term in the loss (I. Higgins et al., beta-VAE, 2017); bounds are reported with weight
            one.
        warmup_steps: steps in which that weight rises from 0; 0: none.

    NOTE: no batch normalisation, no layer between z and the recurrent ones, and z is drawn with the posterior's own
    scale; what the authors published of their code has all three otherwise.

    Raises:
        ValueError: as `SequenceVAE` and `Grammar` do, and if the grammar has no derivation of T rules or fewer.
    """

    paper = Paper(("Kusner", "Paige", "Hernandez-Lobato"), "Grammar Variational Autoencoder", 2017, "arXiv:1703.01925")

    def __init__(self, shape=(15,), grammar=grammars.packaged("expressions").text, latent_size=25, filters=(2, 3, 4),
                 kernels=(2, 3, 4), dense=100, hidden=100, layers=3, finish=True, beta=1.0, warmup_steps=0, **kwargs):
        parsed = grammars.Grammar(grammar)
        super().__init__(shape, parsed.size, latent_size, filters, kernels, dense, hidden, layers, beta, warmup_steps,
                         **kwargs)
        self.text, self.finish = grammar, finish
        self.derivations = Derivations(parsed, self.shape[0], finish)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, grammar=self.text, latent_size=self.latent_size, filters=self.filters,
                    kernels=self.kernels, dense=self.dense, hidden=self.hidden, layers=self.depth, finish=self.finish,
                    beta=self.beta, warmup_steps=self.warmup_steps)

    def allowed(self, x):
        return self.derivations.allowed(x)

    def draw(self, logits, noise):
        return self.derivations.draw(logits, noise)

    def likeliest(self, logits):
        return self.derivations.likeliest(logits)
