"""What the generators of the fixtures share: the published trainers' programs run
as they are, on a tiny random CLIP, on a CPU, in float32. Replaced are the CUDA
calls, the casts to half, the engine around the trainers (of which they use
nothing in a step) and the sizes. Only numbers are kept."""

import os
import sys
import types

import torch

WORDS = "a photo of red green blue cat dog bird fish . x y z".split()
CLASSES = ["red cat", "green dog", "blue bird", "fish", "red fish"]
SOT, EOT, CONTEXT = 30, 31, 12
IMAGE, PATCH, WIDTH, HEADS, LAYERS, EMBED = 32, 8, 32, 2, 4, 24
BATCH = 6


def tokenize(texts, *_, **__):
    texts = [texts] if isinstance(texts, str) else texts
    rows = torch.zeros(len(texts), CONTEXT, dtype=torch.long)
    for row, text in zip(rows, texts):
        ids = [SOT] + [1 + WORDS.index(w) for w in text.replace(".", " .").split()] + [EOT]
        row[: len(ids)] = torch.tensor(ids)
    return rows


def stub(name, **attributes):
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    sys.modules[name] = module


def prepare(repository):
    """Makes the programs of the repository importable."""
    torch.set_num_threads(1)
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *_: self
    torch.Tensor.half = torch.nn.Module.half = lambda self: self

    class Registry:
        def register(self):
            return lambda cls: cls

    nothing = lambda *_, **__: None
    stub("dassl")
    stub("dassl.engine", TRAINER_REGISTRY=Registry(), TrainerX=object)
    stub("dassl.metrics", compute_accuracy=lambda *_: [torch.zeros(1)])
    stub("dassl.utils", load_pretrained_weights=nothing, load_checkpoint=nothing, save_checkpoint=nothing)
    stub("dassl.optim", build_optimizer=nothing, build_lr_scheduler=nothing)
    sys.path.insert(0, os.path.abspath(repository))
    from clip import clip, model

    clip.tokenize = tokenize
    attention = torch.nn.MultiheadAttention
    model.nn.MultiheadAttention = lambda width, _: attention(width, HEADS)
    return model


def rounded(t):
    """Values that float16 holds exactly, so that the file is half the size."""
    return t.half_() if hasattr(t, "half_") else t.to(torch.float16).to(torch.float32)


def tiny(model, *design):
    """A CLIP of random weights, no bias zero and no norm one."""
    torch.manual_seed(7)
    m = model.CLIP(EMBED, IMAGE, LAYERS, WIDTH, PATCH, CONTEXT, 32, WIDTH, HEADS, 2, *design)
    with torch.no_grad():
        for name, p in m.named_parameters():
            draw = torch.randn(p.shape)
            if name == "logit_scale":
                p.fill_(3.0)
            elif p.dim() == 1 and "weight" in name:
                p.copy_(rounded(1 + 0.2 * draw))
            elif p.dim() == 1 and "class" not in name:
                p.copy_(rounded(0.1 * draw))
            else:
                p.copy_(rounded(draw * (0.5 if "VPT" in name or "embedding" in name else p.shape[-1] ** -0.5)))
    return m.float()


def resize(layer, *sizes):
    """Makes a module whose sizes are written into the programs with others."""
    init = layer.__init__
    layer.__init__ = lambda self, *_: init(self, *sizes)


def namespace(**values):
    return types.SimpleNamespace(**values)


def images():
    return rounded(torch.randn(BATCH, 3, IMAGE, IMAGE))


def unit(t):
    return t / t.norm(dim=-1, keepdim=True)


def state(learned, module):
    """What a step changes: the learned tensors and the moments of batch norms."""
    moments = {n: t.float() for n, t in module.named_buffers() if "running" in n or "batches" in n}
    return matrices(learned | moments)


def gradients(learned):
    return matrices({n: t.grad for n, t in learned.items()})


def matrices(tensors):
    """With 1x1 convolutions as the matrices that they are."""
    return {n: t.flatten(1) if t.dim() == 4 else t for n, t in tensors.items()}


def under(prefix, tensors):
    """Copies, since training works in place."""
    return {f"{prefix}.{n}": t.detach().clone() for n, t in tensors.items()}


def save(path, tensors):
    from safetensors.torch import save_file

    out = {}
    for name, t in tensors.items():
        t = t.detach().contiguous().clone()
        if t.is_floating_point() and torch.equal(t.to(torch.float16).to(torch.float32), t):
            t = t.to(torch.float16)
        out[name] = t
    save_file(out, path)
    print(path, os.path.getsize(path), "bytes;", len(out), "tensors")
