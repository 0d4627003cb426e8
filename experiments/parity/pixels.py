"""Compares the preprocessing with Pillow on every n-th JPEG of a folder:

    python pixels.py FOLDER CLIP... > ../../results/parity-pixels.md

The squares of 224 pixels are compared level by level; the features that
each CLIP (a checkpoint) gives for the JPEGs with those for Pillow's own squares,
which reach the Go program as PNG files of the CLIP's size.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, __version__ as pillow
from safetensors.numpy import load_file

COUNT = 500


def square(path, size):
    image = Image.open(path).convert("RGB")
    w, h = image.size
    image = image.resize((size, size * h // w) if w <= h else (size * w // h, size), Image.BICUBIC)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def go(*command):
    subprocess.run(["go", "run", *map(str, command)], check=True, stdout=subprocess.DEVNULL)


folder, clips = pathlib.Path(sys.argv[1]), [pathlib.Path(p).resolve() for p in sys.argv[2:]]
paths = sorted(folder.rglob("*.jpg"))
paths = paths[:: max(1, len(paths) // COUNT)][:COUNT]
with tempfile.TemporaryDirectory() as tmp:
    tmp = pathlib.Path(tmp)
    go("./pixels", 224, tmp / "squares", *paths)
    mine = np.fromfile(tmp / "squares", np.uint8).reshape(-1, 224, 224, 3)
    means, largest, exact = [], 0, 0
    for path, a in zip(paths, mine):
        d = np.abs(a.astype(int) - np.asarray(square(path, 224)).astype(int))
        means.append(d.mean())
        largest, exact = max(largest, d.max()), exact + (d == 0).mean() / len(paths)
    print("# Preprocessing against Pillow\n")
    print(f"Written by `experiments/parity/pixels.py`: {len(paths)} JPEGs of Caltech101, Pillow {pillow}.\n")
    print("| squares of 224 pixels | |\n|---|---|")
    print(f"| mean absolute difference | {np.mean(means):.4f} levels |")
    print(f"| of the worst image | {max(means):.4f} levels |")
    print(f"| largest of any pixel | {largest} levels |")
    print(f"| equal values | {100 * exact:.2f}% |\n")
    worst = 1.0
    for clip in clips:
        meta = subprocess.run(["go", "run", "../..", "weights", "check", clip], capture_output=True, text=True, check=True).stdout
        size = int(meta.split("images")[1].split()[0])
        pngs = []
        for i, path in enumerate(paths):
            pngs.append(tmp / f"{i:03}.png")
            square(path, size).save(pngs[-1])
        features = []
        for name, images in (("a", paths), ("b", pngs)):
            go("../..", "encode", "--clip", clip, "--unit", "--out", tmp / name, "--images", *images)
            features.append(load_file(tmp / name)["image"].astype(np.float64))
        cosine = (features[0] * features[1]).sum(-1)
        worst = min(worst, cosine.mean())
        print(f"| features of {clip.name}, {size} pixels | |\n|---|---|")
        print(f"| mean cosine | {cosine.mean():.7f} |")
        print(f"| smallest cosine | {cosine.min():.7f}, of {paths[cosine.argmin()].parent.name}/{paths[cosine.argmin()].name} |")
        print(f"| images below 0.9999 | {(cosine < 0.9999).sum()} |\n")
sys.exit(int(np.mean(means) > 0.1 or worst < 0.9999))
