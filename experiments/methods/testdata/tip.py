"""Makes tip.safetensors by the published Tip-Adapter, on random features: its cache,
the logits that it reads out of it, and two steps of Tip-Adapter-F.

    git clone https://github.com/gaopengcuhk/Tip-Adapter && python tip.py Tip-Adapter

The program is one long function, so that what trains is taken from its source by
line: from the adapter to the optimiser, and the body of the loop over batches.
"""

import ast
import sys
import textwrap

import published as p
import torch
import torch.nn as nn
import torch.nn.functional as F

model = p.prepare(sys.argv[1])
p.stub("torchvision.transforms")
import importlib.util

spec = importlib.util.spec_from_file_location("utils", sys.argv[1] + "/utils.py")
utils = importlib.util.module_from_spec(spec)
spec.loader.exec_module(utils)
source = open(sys.argv[1] + "/main.py").read()
(function,) = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == "run_tip_adapter_F"]
lines = source.splitlines()


def text(nodes):
    return textwrap.dedent("\n".join(lines[nodes[0].lineno - 1 : nodes[-1].end_lineno]))


(epochs,) = [n for n in function.body if isinstance(n, ast.For)]
(batches,) = [n for n in epochs.body if isinstance(n, ast.For)]
before = text(function.body[: function.body.index(epochs)])
step = text(batches.body)

torch.manual_seed(3)
SHOTS, VIEWS = 2, 3
n = SHOTS * len(p.CLASSES)
clip = p.namespace(dtype=torch.float32, encode_image=lambda x: x.clone())
views = p.rounded(torch.randn(VIEWS, n, p.EMBED))
views /= views.norm(dim=-1, keepdim=True)  # our features have length 1 before the mean of views too
labels = torch.arange(len(p.CLASSES)).repeat_interleave(SHOTS)
loader, at = [], iter(range(VIEWS))


class Views:
    """A loader that gives one view of all images an epoch."""

    def __iter__(self):
        return iter([(views[next(at)], labels)])


utils.tqdm = lambda x: x
cfg = {"load_cache": False, "augment_epoch": VIEWS, "cache_dir": "/tmp", "shots": SHOTS, "lr": 0.001, "train_epoch": 20, "init_beta": 5.5, "init_alpha": 1.0}
torch.save = lambda *_: None
keys, values = utils.build_cache_model(cfg, clip, Views())
texts = p.unit(p.rounded(torch.randn(len(p.CLASSES), p.EMBED)))
image = p.unit(p.rounded(torch.randn(p.BATCH, p.EMBED)))
target = torch.tensor([0, 4, 2, 1, 3, 0])
out = {"views": views, "support": labels, "texts": texts, "images": image, "labels": target}
scope = dict(
    torch=torch, nn=nn, F=F, cfg=cfg, clip_model=clip, cache_keys=keys, cache_values=values.float(), clip_weights=texts.t(),
    train_loader_F=[0], cls_acc=lambda *_: 0.0, all_samples=0, correct_samples=0, loss_list=[], images=image, target=target,
)
exec(before, scope)
adapter, optimizer = scope["adapter"], scope["optimizer"]
out["keys"] = adapter.weight.detach().clone()
for i in (1, 2):
    optimizer.param_groups[0]["lr"] = cfg["lr"]  # the schedule is the loop's
    exec(step, scope)
    out[f"step{i}.loss"] = torch.tensor([scope["loss_list"][-1]])
    out[f"step{i}.gradient"] = adapter.weight.grad.clone()
    out[f"step{i}.keys"] = adapter.weight.detach().clone()
    out[f"step{i}.logits"] = scope["tip_logits"]
p.save("tip.safetensors", out)
