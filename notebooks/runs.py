"""Runs the program and reads its run folders with pandas.

The program is the one that the variable SPOTLIGHTER names, else `spotlighter`
on the path: `go build .` in the repository makes it.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess

import pandas as pd


def spotlighter(*args):
    """Runs the program and returns what it prints; its complaint is the error."""
    program = os.environ.get("SPOTLIGHTER") or shutil.which("spotlighter")
    if not program:
        raise FileNotFoundError("no program: put `spotlighter` on the path, or its path into SPOTLIGHTER")
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return done.stdout


def folders(out):
    """The finished runs below out, in the order of their names."""
    return sorted(path.parent for path in pathlib.Path(out).glob("*/result.json"))


def results(out):
    """A row a finished run, with its result."""
    return pd.DataFrame([{**json.loads((run / "result.json").read_text()), "run": run.name} for run in folders(out)])


def metrics(out):
    """A row a run and epoch, with what was measured at its end."""
    parts = []
    for run in folders(out):
        lines = (run / "metrics.jsonl").read_text().splitlines() if (run / "metrics.jsonl").exists() else []
        result = json.loads((run / "result.json").read_text())
        key = {name: result[name] for name in ("method", "dataset", "seed")}
        parts += [{**key, "run": run.name, **json.loads(line)} for line in lines]
    return pd.DataFrame(parts)


def classes(out):
    """A row a run and class: how many of its test images are classified right."""
    parts = []
    for r in results(out).to_dict("records"):
        for i, one in enumerate(r["classes"]):
            half = "base" if i < r["base_classes"] else "novel"
            parts.append({"method": r["method"], "dataset": r["dataset"], "seed": r["seed"], "half": half, **one})
    return pd.DataFrame(parts)


def examples(run):
    """The test images that a run shows: dicts with png, grid, level1, level2, caption, right, class."""
    path = pathlib.Path(run) / "examples.json"
    return [{**x, "png": base64.b64decode(x["png"])} for x in json.loads(path.read_text())]
