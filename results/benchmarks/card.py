#!/usr/bin/env python3
"""Time this program and PyTorch on a graphics card, in turn: A B A B.

    python card.py --binary ./spotlighter

The image encoder of ViT-B/16 at a batch of 256, and the training steps of CoOp and
of CoOp with Spotlighter at 1,000 classes beside PyTorch's of CoOp, and the most
memory of the card that each takes. Products are computed in the same way on both
sides; in bf16 PyTorch keeps weights and activations in it too, ours in float32. Every measurement is a process of its own. CARD.json, named after the card,
gets all results, CARD.md the table.
"""

import argparse
import json
import os
import re
import subprocess
import sys

import compare


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", default="./spotlighter")
    p.add_argument("--math", nargs="+", default=["fp32", "tf32", "bf16"], choices=["fp32", "tf32", "bf16"])
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--repeat", type=int, default=10, help="repetitions in each process")
    p.add_argument("--alone", action="store_true", help="this program alone")
    p.add_argument("--small", action="store_true", help="once, a pretraining step of one image: that it works, on an emulated card")
    p.add_argument("--folder", default=".", help="of the files")
    args = p.parse_args()
    args.device, args.threads = "cuda", len(os.sched_getaffinity(0))
    found = json.loads(subprocess.check_output([args.binary, "doctor", "--json"]))["cuda"]
    if found.get("missing") or not found["cards"]:
        sys.exit(f"card.py: no card: {found.get('missing', 'the driver has none')}")
    card = found["cards"][0]
    args.out = os.path.join(args.folder, re.sub("[^a-z0-9]+", "-", card["name"].lower()))
    step = {"classes": 1000}
    work = {
        "ViT-B/16 forward, batch 256": (("image", "--batch", "256"), ("image", {"batch": 256})),
        "CoOp step, 1,000 classes, batch 32": (("step", "--classes", "1000"), ("step", step)),
        "CoOp + Spotlighter step, 1,000 classes, batch 32": (("step", "--method", "coop+spotlighter", "--classes", "1000"), ("step", step)),
    }
    if args.small:
        args.rounds = args.repeat = 1
        work = {"pretrain step, batch 1": (("pretrain", "--batch", "1"), ("pretrain", {"batch": 1}))}
    run = compare.Runs(args)
    lines = ["| work | products | ours | PyTorch | ratio | memory, ours | PyTorch |", "|---|---|---|---|---|---|---|"]
    maths, most = args.math, lambda results: f"{max(r['peak_bytes'] for r in results) / 2**20:.0f} MiB"
    for name, (ours, (theirs, arguments)) in work.items():
        for args.math in maths:
            sides = {"ours": lambda: run.ours(*ours)}
            if not args.alone:
                sides["torch"] = lambda: run.torch(theirs, **arguments)
            results = run.turns(f"{name}, {args.math}", **sides)
            a = compare.median(results["ours"])
            row = [name, args.math, f"{a:.3g} s", "", "", most(results["ours"]), ""]
            if not args.alone:
                b = compare.median(results["torch"])
                row[3:5], row[6] = (f"{b:.3g} s", f"{b / a:.2f}x"), most(results["torch"])
            lines.append("| " + " | ".join(row) + " |")
    with open(args.out + ".json", "w") as f:
        json.dump({"card": card, "driver": found["driver"], "results": run.raw}, f, indent=1)
    with open(args.out + ".md", "w") as f:
        f.write(f"# On {card['name']}\n\n" + "\n".join(lines) + "\n")
    print(args.out + ".md")


if __name__ == "__main__":
    sys.exit(main())
