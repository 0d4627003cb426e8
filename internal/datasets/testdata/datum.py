"""Lists of images pickled as Dassl does.

usage: datum.py < [{"file": FILE, "protocol": N, "lists": {"train": [[path, label, class]...], ...}}...]
"""
import json
import pickle
import sys
import types


class Datum:
    def __init__(self, impath, label, classname):
        self._impath = impath
        self._label = label
        self._domain = 0
        self._classname = classname


module = types.ModuleType("dassl.data.datasets.base_dataset")
for name in ["dassl", "dassl.data", "dassl.data.datasets"]:
    sys.modules[name] = types.ModuleType(name)
sys.modules[module.__name__] = module
Datum.__module__, Datum.__qualname__ = module.__name__, "Datum"
module.Datum = Datum

for task in json.load(sys.stdin):
    lists = {name: [Datum(*x) for x in items] for name, items in task["lists"].items()}
    with open(task["file"], "wb") as f:
        pickle.dump(lists, f, protocol=task["protocol"])
