#!/usr/bin/env python3
"""Time this program and PyTorch at the same work, in turn: A B A B.

    pip install -r requirements.txt
    go build -o spotlighter ../.. && python compare.py --binary ./spotlighter

Every measurement is a process of its own with the same number of threads. A
row's ratio is PyTorch's median over ours, above 1 where we are faster; beside it
the ratio of the best times, which others on the machine disturb less.
compare.json gets all times, compare.md the table.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from importlib.metadata import version

PIXELS, CONTEXT, VOCABULARY = 224, 77, 49408
EVALUATED = 1000  # images of the evaluation row, scaled from the images that are measured


def synchronize():
    """Wait for the device: PyTorch's calls return before a card is done."""
    torch = sys.modules["torch"]
    if torch.get_default_device().type == "cuda":
        torch.cuda.synchronize()


def timed(work, repeat):
    work()  # does not count
    synchronize()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        synchronize()
        times.append(time.perf_counter() - start)
    return {"median_s": statistics.median(times), "all_s": times}


class Torch:
    """The same work in PyTorch, with transformers' CLIP and random weights."""

    def __init__(self, threads, repeat, device="cpu", math="fp32"):
        import torch
        import transformers

        torch.manual_seed(1)
        torch.set_default_device(device)
        torch.set_float32_matmul_precision("highest" if math == "fp32" else "high")
        if math == "bf16":  # weights and activations too, as is usual there
            torch.set_default_dtype(torch.bfloat16)
        torch.set_num_threads(threads)
        self.torch, self.hf, self.repeat = torch, transformers, repeat

    def sgemm(self):
        x, w = self.torch.randn(1576, 768), self.torch.randn(768, 3072)
        return timed(lambda: x @ w, max(self.repeat, 10))

    def vision(self):
        return self.hf.CLIPVisionModelWithProjection(self.hf.CLIPVisionConfig(
            hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
            image_size=PIXELS, patch_size=16, projection_dim=512)).eval().requires_grad_(False)

    def text(self):
        return self.hf.CLIPTextModelWithProjection(self.hf.CLIPTextConfig(
            hidden_size=512, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=8,
            max_position_embeddings=CONTEXT, projection_dim=512, vocab_size=VOCABULARY,
            eos_token_id=VOCABULARY - 1)).eval().requires_grad_(False)

    def prompts(self, classes):
        """SOS, four words of context, a name, EOT, and padding to the full context."""
        ids = self.torch.zeros(classes, CONTEXT, dtype=self.torch.long)
        ids[:, 0] = VOCABULARY - 2
        ids[:, 1:8] = self.torch.randint(300, 40000, (classes, 7))
        ids[:, 8] = VOCABULARY - 1
        return ids

    def image(self, batch=8):
        model, x = self.vision(), self.torch.randn(batch, 3, PIXELS, PIXELS)
        with self.torch.inference_mode():
            return timed(lambda: model(pixel_values=x), self.repeat)

    def step(self, classes, batch=32):
        torch, model, ids = self.torch, self.text(), self.prompts(classes)
        inner = model.text_model
        words, positions = inner.embeddings.token_embedding(ids), inner.embeddings.position_embedding.weight
        context = torch.nn.Parameter(words[0, 1:5].clone())

        class Learned(torch.nn.Module):
            def forward(self, input_ids=None, position_ids=None, inputs_embeds=None):
                shared = context.expand(classes, -1, -1)
                return torch.cat([words[:, :1], shared, words[:, 5:]], 1) + positions

        inner.embeddings = Learned()
        optimizer = torch.optim.SGD([context], lr=1e-4, momentum=.9, weight_decay=5e-4)
        images = torch.nn.functional.normalize(torch.randn(batch, 512), dim=-1)
        labels = torch.arange(batch) % classes

        def work():
            text = torch.nn.functional.normalize(model(input_ids=ids).text_embeds, dim=-1)
            loss = torch.nn.functional.cross_entropy(images @ text.T / .07, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return timed(work, self.repeat)

    def evaluate(self, classes, images, batch=8):
        torch, text, vision, ids = self.torch, self.text(), self.vision(), self.prompts(classes)
        pixels = torch.randn(batch, 3, PIXELS, PIXELS)
        normalize = torch.nn.functional.normalize
        with torch.inference_mode():
            texts = timed(lambda: text(input_ids=ids).text_embeds, self.repeat)
            t = normalize(text(input_ids=ids).text_embeds, dim=-1)

            def work():
                for _ in range(0, images, batch):
                    (normalize(vision(pixel_values=pixels).image_embeds, dim=-1) @ t.T).argmax(-1)

            return {**timed(work, self.repeat), "texts_s": texts["median_s"], "images": images}

    def pretrain(self, batch=128):
        torch, hf = self.torch, self.hf
        size = dict(hidden_size=128, intermediate_size=512, num_attention_heads=4)
        model = hf.CLIPModel(hf.CLIPConfig(
            vision_config=dict(size, num_hidden_layers=5, image_size=64, patch_size=8),
            text_config=dict(size, num_hidden_layers=2, max_position_embeddings=20, vocab_size=64, eos_token_id=63),
            projection_dim=128))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(.9, .98), eps=1e-6, weight_decay=.1)
        pixels, ids = torch.randn(batch, 3, 64, 64), torch.randint(1, 62, (batch, 20))
        ids[:, -1] = 63

        def work():
            loss = model(input_ids=ids, pixel_values=pixels, return_loss=True).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.)
            optimizer.step()

        return timed(work, self.repeat)


def torch_side(work, arguments, args):
    side = Torch(args.threads, args.repeat, args.device, args.math)
    result = getattr(side, work)(**json.loads(arguments))
    if args.device == "cpu":
        result["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    else:
        result["peak_bytes"] = side.torch.cuda.max_memory_reserved()
    print(json.dumps(result))


def last_json(command, **env):
    out = subprocess.run(command, env={**os.environ, **env}, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out.splitlines()[-1])


class Runs:
    def __init__(self, args):
        self.args, self.raw = args, {}

    def ours(self, *command, path=""):
        a = self.args
        env = {"SPOTLIGHTER_CPU": path} if path else {}
        return last_json([a.binary, "bench", *command, "--json", "--threads", str(a.threads), "--repeat", str(a.repeat), "--seconds", "0",
                          "--device", a.device, "--math", a.math], **env)

    def torch(self, work, **arguments):
        a = self.args
        return last_json([sys.executable, __file__, "--torch", work, json.dumps(arguments), "--threads", str(a.threads), "--repeat", str(a.repeat),
                          "--device", a.device, "--math", a.math],
                         OMP_NUM_THREADS=str(a.threads), MKL_NUM_THREADS=str(a.threads))

    def turns(self, name, **sides):
        """Run every side once a round and keep all results, also in the file."""
        found = self.raw[name] = {s: [] for s in sides}
        for turn in range(self.args.rounds):
            for side, work in sides.items():
                found[side].append(work())
                print(f"{time.strftime('%H:%M:%S')} {name}: {side} {turn + 1}", file=sys.stderr)
            with open(self.args.out + ".json", "w") as f:
                json.dump(self.raw, f)
        return found


def best(results):
    return min(min(r["all_s"]) for r in results)


def median(results, value=lambda r: r["median_s"]):
    return statistics.median(value(r) for r in results)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", default="./spotlighter")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--repeat", type=int, default=3, help="repetitions in each process")
    p.add_argument("--images", type=int, default=16, help="images of the evaluation that are measured")
    p.add_argument("--out", default="compare")
    p.add_argument("--only", nargs="*", help="of: sgemm image step evaluate pretrain memory paths; everything otherwise")
    p.add_argument("--device", default="cpu", help=argparse.SUPPRESS)  # of card.py
    p.add_argument("--math", default="fp32", help=argparse.SUPPRESS)
    p.add_argument("--torch", nargs=2, metavar=("WORK", "ARGUMENTS"), help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.torch:
        return torch_side(*args.torch, args)

    run, rows, paths = Runs(args), [], {}
    machine = run.ours("machine")

    def write():
        """Write what there is so far: after each row, so that nothing measured is lost."""
        with open(args.out + ".json", "w") as f:
            json.dump({"machine": machine, "torch": version("torch"), "transformers": version("transformers"), "python": platform.python_version(),
                       "rounds": args.rounds, "repeat": args.repeat, "results": run.raw, "paths": paths}, f, indent=1)
        with open(args.out + ".md", "w") as f:
            f.write("# This program against PyTorch\n\n")
            f.write(f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads; flags {', '.join(machine['flags'])}; kernels {machine['path']}; "
                    f"limit {machine['limit_gflops']:.0f} GFLOP/s when measured; load averages at the start {machine['load_averages']}. "
                    f"{machine['go']}; PyTorch {version('torch')}, transformers {version('transformers')}. "
                    f"Medians of {args.rounds} processes a side, in turn, {args.repeat} repetitions each.\n\n")
            f.write("| work | ours | PyTorch | ratio | of best times | target | |\n|---|---|---|---|---|---|---|\n")
            for r in rows:
                f.write("| " + " | ".join(r) + " |\n")
            if paths:
                f.write("\n| kernels | sgemm | share of their limit | ViT-B/32 | CoOp step |\n|---|---|---|---|---|\n")
            for path, r in paths.items():
                limit = f"{100 * r['ops'][0]['share']:.0f}%" if "share" in r["ops"][0] else ""
                f.write(f"| {path} | {r['ops'][0]['gflops']:.1f} GFLOP/s | {limit} | {r['image']['images_per_s']:.2f} images/s | {r['step']['median_s']:.3g} s |\n")

    def row(work, ours, other, value, bests, target, met):
        rows.append((work, ours, other, value, bests, target, "met" if met else "missed"))
        write()

    def against(work, found, target, value=lambda r: r["median_s"], unit="s"):
        a, b = median(found["ours"], value), median(found["torch"], value)
        bests = f"{best(found['torch']) / best(found['ours']):.2f}x" if unit == "s" else ""
        row(work, f"{a:.3g} {unit}", f"{b:.3g} {unit}", f"{b / a:.2f}x", bests, f"at least {target}x", b / a >= target)

    def wanted(name):
        return not args.only or name in args.only

    if wanted("sgemm"):
        ops = run.turns("sgemm", ours=lambda: run.ours("ops", "--begin", "sgemm 1576"), torch=lambda: run.torch("sgemm"))
        first = lambda r: r[0]["share"]
        share, theirs = median(ops["ours"], first), median(ops["torch"])
        row("sgemm 1576x768x3072", f"{median(ops['ours'], lambda r: r[0]['gflops']):.0f} GFLOP/s", f"{2 * 1576 * 768 * 3072 / theirs / 1e9:.0f} GFLOP/s",
            f"{100 * share:.0f}% of the limit", f"{best(ops['torch']) / min(r[0]['best_s'] for r in ops['ours']):.2f}x PyTorch", "at least 85%", share >= .85)
    if wanted("image"):
        against("ViT-B/16 forward, batch 8", run.turns("image", ours=lambda: run.ours("image"), torch=lambda: run.torch("image")), 1.25)
    if wanted("step"):
        spotlighter = ("step", "--method", "coop+spotlighter")
        step = run.turns("step", ours=lambda: run.ours("step"), spotlighter=lambda: run.ours(*spotlighter), torch=lambda: run.torch("step", classes=50),
                         one=lambda: run.ours(*spotlighter, "--candidates", "1"))
        against("CoOp step, 50 classes, batch 32", step, 10)
        a = median(step["ours"])
        for side, words in (("spotlighter", "the default number of classes read for"), ("one", "one class read for")):
            b = median(step[side])
            row(f"CoOp + Spotlighter step, {words}, against our CoOp", f"{b:.3g} s", f"{a:.3g} s (ours)", f"{b / a:.2f}x", f"{best(step[side]) / best(step['ours']):.2f}x", "at most 1.25x", b / a <= 1.25)
    if wanted("evaluate"):
        evaluation = run.turns("evaluate", ours=lambda: run.ours("evaluate", "--classes", "100", "--images", str(args.images)),
                               torch=lambda: run.torch("evaluate", classes=100, images=args.images))
        against(f"evaluation of {EVALUATED} images, 100 classes", evaluation, 1.25, lambda r: r["texts_s"] + r["median_s"] * EVALUATED / r["images"])
    if wanted("pretrain"):
        against("pretrain step, batch 128", run.turns("pretrain", ours=lambda: run.ours("pretrain"), torch=lambda: run.torch("pretrain")), 1.2)
    if wanted("memory"):
        memory = run.turns("memory", ours=lambda: run.ours("step", "--classes", "100"), torch=lambda: run.torch("step", classes=100))
        peak = lambda r: r["peak_bytes"] / 2**30
        against("peak memory of the CoOp step, 100 classes", memory, 2, peak, "GiB")

    if wanted("paths"):
        for path in ("avx2", "go"):
            paths[path] = {
                "ops": run.ours("ops", path=path),
                "image": run.ours("image", "--model", "B/32", path=path),
                "step": run.ours("step", path=path),
            }
        portable = run.turns("portable", ours=lambda: run.ours("ops", "--begin", "sgemm 1576", path="go"), gonum=lambda: run.ours("ops", "--begin", "gonum", path="go"))
        first = lambda r: r[0]["gflops"]
        ours, gonum = median(portable["ours"], first), median(portable["gonum"], first)
        bests = min(r[0]["best_s"] for r in portable["gonum"]) / min(r[0]["best_s"] for r in portable["ours"])
        row("portable sgemm 1576x768x3072, against gonum", f"{ours:.1f} GFLOP/s", f"{gonum:.1f} GFLOP/s (gonum)", f"{ours / gonum:.2f}x", f"{bests:.2f}x", "at least 1x", ours >= gonum)


if __name__ == "__main__":
    main()
