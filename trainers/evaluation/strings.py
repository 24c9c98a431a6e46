"""What is measured of a model whose examples are lines: whether codes keep them, and what of its samples is a string of
the grammar, new, and no repetition.

M. J. Kusner et al., Grammar Variational Autoencoder, 2017, arXiv:1703.01925, section 5. Validity is the parser's own:
that the grammar derives the text. Of molecules RDKit, where it is installed, says besides whether there is one whose
atoms have the bonds that they can have.
"""

import math

_DRAWS = 7  # folded into --seed
MOLECULES = "smiles"  # the grammar whose strings RDKit reads


def measure(evaluation):
    """Numbers (metric, Estimate, unit, kind, protocol) of a model of lines on its data set's split."""
    found = (
        reconstructions(evaluation)
        if hasattr(evaluation.model, "encode") and hasattr(evaluation.model, "decode")
        else []
    )
    return found + samples(evaluation)


def reconstructions(evaluation):
    """How many lines come back whole from their codes, how many of their tokens, and how many of what comes back are
    strings of the grammar."""
    import numpy as np
    import tensorflow as tf

    from trainers.runs.drawing import map_rows
    from zoo import operations

    tokenizer = evaluation.dataset.tokenizer
    x = np.concatenate([x.numpy() for x, _ in evaluation.batches(evaluation.num)])
    decoded = map_rows(tf.function(lambda x: operations.reconstruct(evaluation.model, x), reduce_retracing=True), x,
                       rows=evaluation.batch_size)
    counted = np.arange(x.shape[1]) <= (x != tokenizer.end).sum(1, keepdims=True)  # up to the end, and that
    same = [tokenizer.decode(a) == tokenizer.decode(b) for a, b in zip(x, decoded)]
    protocol = dict(code="encode(x)", decoding="greedy")
    return [_fraction("reconstruction_accuracy", same, protocol),
            _fraction("token_accuracy", (x == decoded)[counted], protocol | dict(tokens=int(counted.sum()))),
            *_validity("validity_of_decodings", evaluation, decoded, protocol)]


def samples(evaluation):
    """How many samples are strings of the grammar, how many of those are different, and how many of the different ones
    are no training example."""
    from trainers.evaluation.measures import Progress
    from trainers.runs.drawing import draw
    from zoo import random

    tokenizer, num = evaluation.dataset.tokenizer, evaluation.run.config.evaluation.samples
    progress = Progress("strings", num)
    x = draw(evaluation.model, random.fold_in(evaluation.noise, _DRAWS), num)
    progress.add(num)
    progress.close()
    protocol = dict(generated_samples=num, num_examples=0)
    found = _validity("validity", evaluation, x, protocol)
    valid = _valid(tokenizer)
    texts = [tokenizer.decode(row) for row in x if valid is None or valid(row)]
    of = "the valid samples" if valid else "the samples"
    different = sorted(set(texts))
    known = {tokenizer.decode(row) for row in evaluation.dataset.decoded("train")["x"]}
    found.append(_fraction("uniqueness", len(different) / max(len(texts), 1), protocol | dict(of=of, count=len(texts))))
    return found + [
        _fraction(
            "novelty",
            [text not in known for text in different],
            protocol | dict(of=f"the different ones of {of}", count=len(different)),
        )
    ]


def _valid(tokenizer):
    from trainers.data import grammars

    return grammars.validity(tokenizer) if tokenizer.grammar is not None else None


def _validity(name, evaluation, x, protocol):
    """The fraction that the grammar derives, and that RDKit reads; nothing where there is no grammar."""
    tokenizer, found = evaluation.dataset.tokenizer, []
    if valid := _valid(tokenizer):
        found.append(_fraction(name, [valid(row) for row in x], protocol | dict(judge="the grammar's parser")))
    if evaluation.run.config.data.get("grammar") == MOLECULES and (molecule := _rdkit()):
        judge, version = molecule
        found.append(_fraction(f"rdkit_{name}", [judge(tokenizer.decode(row)) for row in x],
                               protocol | dict(judge=f"RDKit {version}")))
    return found


def _rdkit():
    """(the function from a SMILES string to whether it is a molecule, RDKit's version), None where it is not
    installed."""
    try:
        import rdkit
        from rdkit import Chem, RDLogger
    except ImportError:
        return None
    RDLogger.DisableLog("rdApp.*")
    return lambda text: bool(text) and Chem.MolFromSmiles(text) is not None, rdkit.__version__


def _fraction(name, values, protocol):
    """A record's number of a fraction: of a list of truths, with its standard error, or a number that has none."""
    from zoo.metrics.likelihood import Estimate

    if isinstance(values, float):
        return name, Estimate(values, math.nan), "fraction", "estimate", protocol
    value = float(sum(values)) / max(len(values), 1)
    return name, Estimate(value,
                          math.sqrt(value * (1.0 - value) / max(len(values), 1))), "fraction", "estimate", protocol
