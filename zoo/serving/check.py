"""Checks an exported folder as a server sees it: `zoo-export --check=DIR`, or `python -m zoo.serving.check DIR`.

Every op type is looked up in the list of `zoo.serving.graph` before anything is loaded. Then, in a process of its own
without TensorFlow's Python, Keras or zoo, `zoo/serving/session.py` loads the SavedModel as TensorFlow Serving does, and
every signature answers the examples that the folder holds. It must say what the model itself said when it was exported:
in a batch of three, one row alone, and the rows in another order.

Exit code: 0, or 1 with one sentence on a mismatch, or 2 with one sentence where the folder is no export of ours.
"""

import json
import pathlib
import subprocess
import sys

from zoo.serving import graph, session
from zoo.serving.session import Mismatch


class NoExport(ValueError):
    """The folder is no export of ours."""


def check(directory):
    """Checks an exported version folder, or the newest version below `directory`; returns the report, a line for each
    signature and one of them all.

    Raises:
        NoExport, Mismatch: ValueErrors of one sentence.
    """
    folder, data, card, examples = read(directory)
    try:
        meta = graph.parse(data)
        ops = graph.check(meta)
    except ValueError as error:
        raise Mismatch(str(error)) from None
    found = graph.signatures(meta)
    if not set(found) == set(examples) == set(card["signatures"]):
        raise Mismatch(f"the graph has the signatures {sorted(found)}, and the examples and the card others.")
    for name, signature in sorted(found.items()):
        _require_example(name, signature, examples[name])
    report = _answer(folder, {name: tensors(signature) for name, signature in found.items()})
    return f"{report}{folder}: {len(found)} signatures, {len(ops)} op types, all on the list\n"


def read(directory):
    """Reads (version folder, bytes of its graph, card, examples as {signature: {side: {name: array}}}); `directory` may
    hold version folders. Raises NoExport.
    """
    folder = pathlib.Path(directory)
    versions = [path for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
    if versions and not (folder / "saved_model.pb").exists():
        folder = max(versions, key=lambda path: int(path.name))
    try:
        data = (folder / "saved_model.pb").read_bytes()
        card = json.loads((folder / "assets.extra" / "card.json").read_text())
        examples = session.read_examples(folder)
    except Exception as error:  # what others wrote fails in numpy and in json in more ways than can be listed
        raise NoExport(f"{directory} is no export of ours: {' '.join(str(error).split())}.") from None
    ours = isinstance(card, dict) and str(card.get("format")).startswith("generative-zoo export")
    if not ours or not isinstance(card.get("signatures"), dict):
        raise NoExport(f"{directory} is no export of ours: its card.json has another format.")
    return folder, data, card, examples


def tensors(signature):
    """Returns what `zoo.serving.session` is told of a SignatureDef."""
    return {"batchable": _batchable(signature), "inputs": {key: info.name for key, info in signature.inputs.items()},
            "outputs": {key: info.name for key, info in signature.outputs.items()}}


def _batchable(signature):
    """Returns whether every input and output has the batch, of any size, as dimension 0."""
    return all(info.tensor_shape.dim and info.tensor_shape.dim[0].size == -1
               for side in (signature.inputs, signature.outputs) for info in side.values())


def _require_example(name, signature, example):
    """Raises Mismatch where an example does not have the inputs and outputs of its signature, their types, and 3 rows.
    """
    for side, fields in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        arrays = example[side]
        if set(arrays) != set(fields):
            raise Mismatch(f"signature {name!r} has the {side} {sorted(fields)}, and its example {sorted(arrays)}.")
        for key, info in fields.items():
            if session.DTYPES.get(info.dtype) != arrays[key].dtype:
                raise Mismatch(f"signature {name!r}: the example of {key!r} is {arrays[key].dtype}, which is not the "
                               "graph's type.")
    rows = list(example["outputs"].values())
    if _batchable(signature):
        rows += example["inputs"].values()
    elif name != "sample_n" or "num_samples" not in signature.inputs:
        raise Mismatch(f"signature {name!r} can't be batched: an input or output does not have the batch as dimension "
                       "0.")
    if {array.shape[:1] for array in rows} != {(3,)}:
        raise Mismatch(f"signature {name!r}: its example does not have 3 rows.")


def _answer(folder, signatures):
    """Lets the signatures answer their examples in a process of its own; returns its report. Raises Mismatch."""
    done = subprocess.run([sys.executable, "-P", session.__file__, str(folder)], input=json.dumps(signatures),
                          capture_output=True, text=True)
    said = done.stderr.strip()
    if done.returncode == 1 and said:
        raise Mismatch(said.splitlines()[-1])
    if done.returncode:
        raise Mismatch(f"{folder}: the check died with exit code {done.returncode}: {said[-500:]}")
    return done.stdout


def main(argv):
    """Runs the program; returns its exit code."""
    if len(argv) != 2:
        print("usage: python -m zoo.serving.check DIR", file=sys.stderr)
        return 2
    try:
        print(check(argv[1]), end="")
    except ValueError as failure:
        print(failure, file=sys.stderr)
        return 2 if isinstance(failure, NoExport) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
