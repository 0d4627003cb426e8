"""Classifies images by an exported run, without the program that trained it:

    spotlighter onnx --run RUN -o predict.onnx
    pip install onnxruntime pillow
    python docs/classify.py predict.onnx photo.jpg ...
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def prepare(path, size, mean, std):
    """What CLIP reads of an image: [3, size, size]."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    w, h = image.size
    w, h = (size, size * h // w) if w <= h else (size * w // h, size)
    image = image.resize((w, h), Image.Resampling.BICUBIC)
    x, y = round((w - size) / 2), round((h - size) / 2)
    pixels = np.asarray(image.crop((x, y, x + size, y + size)), np.float32) / 255
    return ((pixels - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)


session = onnxruntime.InferenceSession(sys.argv[1])
told = {k.removeprefix("spotlighter."): json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items()}
images = [prepare(path, told["image.size"], told["image.mean"], told["image.std"]) for path in sys.argv[2:]]
(logits,) = session.run(["logits"], {"images": np.stack(images)})
likely = np.exp(logits - logits.max(1, keepdims=True))
likely /= likely.sum(1, keepdims=True)
for path, row in zip(sys.argv[2:], likely):
    best = row.argmax()
    print(f"{path}\t{told['classes'][best]} {100 * row[best]:.1f}%")
