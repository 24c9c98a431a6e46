"""Recipes of the variational autoencoders of strings: derivations of a grammar, and characters."""

from trainers.recipes.recipe import ANY, FEWER_DRAWS, Published, Recipe

_ZINC = "Kusner, Paige and Hernandez-Lobato 2017 (arXiv:1703.01925), the table of ZINC, quoted from memory"
# The paper's sizes for expressions are convolutions of 2, 3 and 4 filters, a dense layer of 100, three recurrent ones
# of 100 and 25 latents. Expressions that are drawn from the grammar leave the codes nothing to say: rules drawn alike
# at every place have the same likelihood, and with beta = 1 the codes are not used.
_EXPRESSIONS = dict(latent_size=25, filters=(16, 32, 64), kernels=(2, 3, 4), dense=200, hidden=128, layers=1, beta=0.05,
                    warmup_steps=500)
# The paper's but for the decoder, three layers of 501 there: a step of theirs takes seconds on a CPU.
_MOLECULES = dict(latent_size=56, filters=(9, 9, 10), kernels=(9, 9, 11), dense=435, hidden=256, layers=1, beta=0.05,
                  warmup_steps=2000)


def _both(dataset, grammar="", published=((), ()), **entries):
    """A recipe of each model, on rules and on characters; the grammar judges both."""
    return [Recipe(model, dataset, data=dict(tokenizer=tokenizer, grammar=grammar), published=numbers,
                   evaluation=FEWER_DRAWS, **entries)
            for model, tokenizer, numbers in zip(("grammar_vae", "character_vae"), ("grammar", "characters"),
                                                 published)]


def _published(accuracy, validity):
    return (Published("reconstruction_accuracy", accuracy, "fraction", _ZINC),
            Published("rdkit_validity", validity, "fraction", _ZINC))


RECIPES = [
    *_both("expressions", steps=6000, batch_size=64, arguments=_EXPRESSIONS, optimizer=dict(learning_rate=3e-3),
           schedule=dict(name="cosine", warmup_steps=100), clip_norm=1.0, ema=0.99),
    # The paper's own 100,000: the file that comes with its code, symbols parted by blanks.
    *_both("lines:expressions.txt", "spaced_expressions", steps=20_000, batch_size=128, arguments=_EXPRESSIONS,
           optimizer=dict(learning_rate=2e-3), schedule=dict(name="cosine", warmup_steps=100), clip_norm=1.0,
           ema=0.999),
    # SMILES strings of the ZINC data base.
    *_both("lines:zinc.txt", "smiles", published=(_published(0.537, 0.072), _published(0.446, 0.007)), steps=30_000,
           batch_size=128, arguments=_MOLECULES, optimizer=dict(learning_rate=1e-3),
           schedule=dict(name="cosine", warmup_steps=200), clip_norm=1.0, ema=0.999, selection=dict(every=1000)),
    *_both(ANY, steps=20_000, batch_size=128, arguments=_EXPRESSIONS, schedule=dict(name="cosine", warmup_steps=100),
           clip_norm=1.0, ema=0.999),
]
