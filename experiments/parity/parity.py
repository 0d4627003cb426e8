"""Compares Spotlighter with the reference, stage by stage:

    python -m pip install -r requirements.txt
    python parity.py IMAGE.jpg [IMAGE.jpg ...] > ../../results/parity.md

Makes a random CLIP of each published size, writes it in every format that
weights come in, has the Go program (stages/main.go) open each file, and holds
what it computes against transformers, open_clip and, for the pixels, Pillow.
The difference of a stage is its largest absolute difference divided by the
largest absolute value of the reference. Needs about 10 GB of disk, one model
at a time, and 16 GB of memory for ViT-L-14.
"""
import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import open_clip
import safetensors
import torch
import transformers
from PIL import Image, __version__ as pillow
from safetensors.torch import load_file

import checkpoints

LIMIT = 2e-4
CLASSES = ["airplane", "sunflower", "wild_cat", "grand_piano", "dalmatian"]
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def reference_pixels(path, size):
    """torchvision's transform on a PIL image, as CLIP's authors have it."""
    image = Image.open(path).convert("RGB")
    w, h = image.size
    image = image.resize((size, size * h // w) if w <= h else (size * w // h, size), Image.BICUBIC)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    x = np.asarray(image.crop((left, top, left + size, top + size)), np.float32) / 255
    return torch.from_numpy((x - np.float32(MEAN)) / np.float32(STD)).permute(2, 0, 1)


def reference(model, go):
    """Every stage of transformers' model on the pixels and the context of the other program."""
    out, context = {}, go["text.context"].clone().requires_grad_()
    m = context.shape[0]

    def learned(_, __, output):
        return torch.cat([output[:, :1], context.expand(len(output), -1, -1), output[:, 1 + m:]], 1)

    with torch.no_grad():
        v = model.vision_model(go["pixels"], output_hidden_states=True)
        for i, h in enumerate(v.hidden_states):
            out["vision.embedding" if i == 0 else f"vision.block.{i - 1}"] = h
        post = model.vision_model.post_layernorm(v.hidden_states[-1])
        out["vision.ln_post"] = post
        out["vision.patches"] = model.visual_projection(post)[:, 1:]
        out["vision.projection"] = image = model.visual_projection(post[:, 0])
    ids, eot = go["ids"].long(), go["eot"].long()[:, 0]
    hook = model.text_model.embeddings.token_embedding.register_forward_hook(learned)
    t = model.text_model(ids, output_hidden_states=True)
    hook.remove()
    for i, h in enumerate(t.hidden_states):
        out["text.embedding" if i == 0 else f"text.block.{i - 1}"] = h
    out["text.ln_final"] = t.last_hidden_state
    text = model.text_projection(t.last_hidden_state[torch.arange(len(ids)), eot])
    out["text.projection"] = text
    unit = lambda x: x / x.norm(dim=-1, keepdim=True)
    logits = model.logit_scale.exp() * unit(image) @ unit(text).T
    out["logits"] = logits
    loss = torch.nn.functional.cross_entropy(logits, torch.arange(len(image)) % len(ids))
    loss.backward()
    out["loss"], out["text.context.gradient"] = loss, context.grad
    return {k: x.detach() for k, x in out.items()}


def open_clip_features(name, path, go):
    """open_clip's own reading of its file: both encoders, without the learned context."""
    model = open_clip.create_model(name + "-quickgelu", pretrained=str(path)).eval()
    with torch.no_grad():
        return model.encode_image(go["pixels"])


def difference(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("images", nargs="+")
    args.add_argument("--models", default="ViT-B-32,ViT-B-16,ViT-L-14")
    args.add_argument("--kinds", default=",".join(checkpoints.KINDS))
    a = args.parse_args()
    torch.manual_seed(0)
    work = tempfile.mkdtemp()
    program = work + "/stages"
    subprocess.run(["go", "build", "-o", program, "./stages"], check=True)
    print("# Parity with the reference\n")
    print("Written by `experiments/parity/parity.py`. Random weights, exact in half precision; "
          f"{len(a.images)} JPEGs, {len(CLASSES)} prompts of 4 learned vectors and a class name.")
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, open_clip {open_clip.__version__}, "
          f"safetensors {safetensors.__version__}, Pillow {pillow}, Python {platform.python_version()}, {platform.machine()}.\n")
    print("A stage's difference is max |a - b| / max |b|; the bound is 2e-4.\n")
    worst_of_all = 0.0
    for name in a.models.split(","):
        model = checkpoints.make(name)
        table, rest = {}, []
        for kind in a.kinds.split(","):
            folder = f"{work}/{name}-{kind}"
            dtype = {"hf-sharded": torch.float16, "open_clip-bin": torch.float16, "wrapped": torch.bfloat16}.get(kind, torch.float32)
            path = checkpoints.write(model, name, kind, folder, dtype)
            size = sum(f.stat().st_size for f in (path.iterdir() if path.is_dir() else [path])) / 1e6
            start = time.time()
            subprocess.run([program, "--clip", str(path), "--images", ",".join(a.images),
                            "--classes", ",".join(CLASSES), "--out", work + "/go.safetensors"], check=True)
            took = time.time() - start
            go = load_file(work + "/go.safetensors")
            if not table:
                want = reference(model, go)
                levels = torch.stack([reference_pixels(p, checkpoints.SIZES[name].image) for p in a.images])
                levels = ((go["pixels"] - levels) * torch.tensor(STD)[:, None, None] * 255).abs()
            worst = {k: difference(go[k], x) for k, x in want.items()}
            table[kind] = worst
            note = ""
            if kind.startswith("open_clip"):
                note = f"; image features against open_clip {difference(go['vision.projection'], open_clip_features(name, path, go)):.1e}"
            rest.append(f"| {kind} | {size:.0f} MB | {took:.1f} s | {max(worst.values()):.1e} | {max(worst, key=worst.get)}{note} |")
            worst_of_all = max(worst_of_all, *worst.values())
            shutil.rmtree(folder)
            print(name, rest[-1], file=sys.stderr)
        print(f"## {name}\n")
        print(f"Pixels against Pillow's: mean difference {levels.mean():.4f} levels, largest {levels.max():.1f}. "
              "The stages below begin with the same pixels.\n")
        print("| format | size | time of the Go program | largest difference | at |\n|---|---|---|---|---|")
        print("\n".join(rest) + "\n")
        print("| stage | largest difference over all formats |\n|---|---|")
        for stage in want:
            print(f"| {stage} | {max(t[stage] for t in table.values()):.1e} |")
        print()
    print(f"Largest of all: {worst_of_all:.1e}.")
    shutil.rmtree(work)
    sys.exit(worst_of_all > LIMIT)


if __name__ == "__main__":
    main()
