"""Texts that go on from a prompt: what `zoo-sample --prompt` draws."""

import numpy as np
import tensorflow as tf

from trainers.errors import BadInput
from trainers.runs.drawing import map_rows
from zoo import random


def continuation(run, num, options, controls):
    """Draws texts that go on from the prompt, [num, T]."""
    if run.model.domain.kind != "tokens" or not hasattr(run.model, "complete"):
        raise BadInput(f"--prompt: model {run.description['model']!r} goes on with no text.")
    length = run.model.domain.shape[0]
    try:
        prompt = run.medium.tokenizer.encode(options.prompt or "")
    except BadInput as error:
        raise BadInput(f"--prompt: {error}.") from None
    if options.prompt == "" or len(prompt) >= length:
        raise BadInput(f"--prompt: takes 1 to {length - 1} tokens, found {len(prompt)}.")
    x, known = np.zeros((num, length), np.int32), np.zeros((num, length), bool)
    x[:, :len(prompt)], known[:, :len(prompt)] = prompt, True
    function = tf.function(lambda x, known, seeds: run.model.complete(x, known, seeds, **controls),
                           reduce_retracing=True)
    return map_rows(function, x, known, random.rows(random.seed(options.seed), num))
