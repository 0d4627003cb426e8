"""Few-shot samples of split files, drawn by Python's own random module.

usage: sample.py < {"files": [SPLIT.json...], "draws": [[SHOTS, SEED]...]}
-> for each file and draw {"train": [[path, label, class]...], "val": ...}
The order of draws is that of the published programs: all classes of the training
part in order of first appearance, then those of the validation part.
"""
import json
import random
import sys


def few(items, n):
    classes = {}
    for item in items:
        classes.setdefault(item[1], []).append(item)
    out = []
    for members in classes.values():
        out += random.sample(members, n) if len(members) >= n else members
    return out


task = json.load(sys.stdin)
answer = []
for path in task["files"]:
    with open(path) as f:
        split = json.load(f)
    for shots, seed in task["draws"]:
        random.seed(seed)
        train = few(split["train"], shots)
        answer.append({"train": train, "val": few(split["val"], min(shots, 4))})
json.dump(answer, sys.stdout)
