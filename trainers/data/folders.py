"""Folders of the user's own files: what lies in them, the labels that their sub-folders give, and their version."""

import hashlib
import os
import pathlib

import numpy as np

from trainers.errors import BadInput


def find_files(name, root, what):
    """Returns (the files with one of the endings of `what` under `root`, sorted; how many files there are).

    Links are followed, and hidden files left out. what: (the kind of data set, the things in it, their endings).

    Raises:
        BadInput: if there is no such folder, or a part of it can't be read.
    """
    kind, things, endings = what
    if not name.partition(":")[2]:
        raise BadInput(f"--dataset={name} lacks the path of a folder: {kind}:PATH.")
    if not root.is_dir():
        raise BadInput(f"--dataset={name}: {root} is {'no folder' if root.exists() else 'missing'}; give the path of a "
                       f"folder of {things}.")

    def refuse(error):
        raise BadInput(f"--dataset={name}: {error.filename} can't be read: {error.strerror}.") from error

    found = []
    for folder, _, files in os.walk(root, onerror=refuse, followlinks=True):
        found += [pathlib.Path(folder, file) for file in files if not file.startswith(".")]
    return sorted(file for file in found if file.suffix.lower() in endings), len(found)


def labels_of(paths):
    """Returns (names, labels int32 [n]) of relative paths: the first folder's, where every file lies in one, else
    (None, zeros)."""
    if not all("/" in path for path in paths):
        return None, np.zeros(len(paths), np.int32)
    folders = [path.split("/")[0] for path in paths]
    names = sorted(set(folders))
    return names, np.array([names.index(folder) for folder in folders], np.int32)


def version_of(paths, files):
    """Makes the version of a folder of files: a hash of their relative paths and sizes."""
    listed = "".join(f"{path} {file.stat().st_size}\n" for path, file in zip(paths, files))
    return f"sha256:{hashlib.sha256(listed.encode()).hexdigest()[:12]}"
