"""Splits made by Python's own random module.

usage: split.py folders SEED < {"class": ["image"...]...}   50% / 20% / 30% a class
       split.py trainval SEED < [[path, label]...]          20% a class for validation
"""
import json
import random
import sys

how, seed = sys.argv[1], int(sys.argv[2])
data = json.load(sys.stdin)
random.seed(seed)
train, val, test = [], [], []
if how == "folders":
    for label, name in enumerate(sorted(data)):
        images = [name + "/" + i for i in sorted(data[name])]
        random.shuffle(images)
        a, b = round(len(images) * 0.5), round(len(images) * 0.2)
        train += [[i, label] for i in images[:a]]
        val += [[i, label] for i in images[a:a + b]]
        test += [[i, label] for i in images[a + b:]]
else:
    classes = {}
    for item in data:
        classes.setdefault(item[1], []).append(item)
    for members in classes.values():
        places = list(range(len(members)))
        random.shuffle(places)
        n = round(len(members) * 0.2)
        val += [members[i] for i in places[:n]]
        train += [members[i] for i in places[n:]]
json.dump({"train": train, "val": val, "test": test}, sys.stdout)
