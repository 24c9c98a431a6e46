"""What is measured of a model whose examples are lines: whether codes keep them, and what of its samples is a string of
the grammar, new, and no repetition.

M. J. Kusner et al., Grammar Variational Autoencoder, 2017, arXiv:1703.01925, section 5. Validity is the parser's own:
that the grammar derives the text. Of molecules RDKit, where it is installed, says besides whether there is one whose
atoms have the bonds that they can have.
"""

import importlib

import numpy as np
import tensorflow as tf

from trainers.data import grammars
from trainers.evaluation.evaluation import STRINGS
from trainers.evaluation.number import fraction, single
from trainers.evaluation.progress import Progress
from trainers.runs.drawing import draw, map_rows
from zoo import operations, random

MOLECULES = "smiles"  # the grammar whose strings RDKit reads


def measure(evaluation):
    """Measures a model of lines on its data set's split; nothing of another."""
    model = evaluation.model
    if evaluation.domain.kind != "tokens" or evaluation.dataset.text.windows:
        return []
    found = reconstructions(evaluation) if hasattr(model, "encode") and hasattr(model, "decode") else []
    return found + samples(evaluation)


def reconstructions(evaluation):
    """Measures how many lines come back whole from their codes, how many of their tokens, and how many of what comes
    back are strings of the grammar."""
    tokenizer = evaluation.dataset.tokenizer
    x = evaluation.first(evaluation.num)[0].numpy()
    reconstruct = tf.function(lambda x: operations.reconstruct(evaluation.model, x), reduce_retracing=True)
    decoded = map_rows(reconstruct, x, rows=evaluation.batch_size)
    counted = np.arange(x.shape[1]) <= (x != tokenizer.end).sum(1, keepdims=True)  # up to the end, and that
    same = [tokenizer.decode(a) == tokenizer.decode(b) for a, b in zip(x, decoded)]
    protocol = dict(code="encode(x)", decoding="greedy")
    return [fraction("reconstruction_accuracy", same, protocol),
            fraction("token_accuracy", (x == decoded)[counted], protocol | dict(tokens=int(counted.sum()))),
            *_validity("validity_of_decodings", evaluation, decoded, protocol)]


def samples(evaluation):
    """Measures how many samples are strings of the grammar, how many of those are different, and how many of the
    different ones are no training example."""
    tokenizer, num = evaluation.dataset.tokenizer, evaluation.run.config.evaluation.samples
    progress = Progress("strings", num)
    x = draw(evaluation.model, random.fold_in(evaluation.noise, STRINGS), num)
    progress.add(num)
    progress.close()
    protocol, valid = dict(generated_samples=num, num_examples=0), _parser(tokenizer)
    of = "the valid samples" if valid else "the samples"
    texts = [tokenizer.decode(row) for row in x if valid is None or valid(row)]
    different = sorted(set(texts))
    known = {tokenizer.decode(row) for row in evaluation.dataset.decoded("train")["x"]}
    return [*_validity("validity", evaluation, x, protocol),
            single("uniqueness", len(different) / max(len(texts), 1), "fraction",
                   protocol | dict(of=of, count=len(texts))),
            fraction("novelty", [text not in known for text in different],
                     protocol | dict(of=f"the different ones of {of}", count=len(different)))]


def _parser(tokenizer):
    """Makes the function from a row of tokens to whether the grammar derives it, None where there is no grammar."""
    return grammars.validity(tokenizer) if tokenizer.grammar is not None else None


def _validity(name, evaluation, x, protocol):
    """Measures the fraction that the grammar derives, and that RDKit reads; nothing where there is no grammar."""
    tokenizer, found = evaluation.dataset.tokenizer, []
    valid = _parser(tokenizer)
    if valid:
        found.append(fraction(name, [valid(row) for row in x], protocol | dict(judge="the grammar's parser")))
    molecule = _rdkit() if evaluation.run.config.data.get("grammar") == MOLECULES else None
    if molecule:
        judge, version = molecule
        found.append(fraction(f"rdkit_{name}", [judge(tokenizer.decode(row)) for row in x],
                              protocol | dict(judge=f"RDKit {version}")))
    return found


def _rdkit():
    """Imports (the function from a SMILES string to whether it is a molecule, RDKit's version); None where it is not
    installed, as it is no requirement."""
    try:
        rdkit, chem = importlib.import_module("rdkit"), importlib.import_module("rdkit.Chem")
    except ImportError:
        return None
    importlib.import_module("rdkit.RDLogger").DisableLog("rdApp.*")
    return lambda text: bool(text) and chem.MolFromSmiles(text) is not None, rdkit.__version__
