"""Makes maple.safetensors by two steps of the published MaPLe, of which PromptSRC's
repository has the same program:

    git clone https://github.com/muzairkhattak/PromptSRC && python maple.py PromptSRC
"""

import sys

import published as p
import torch
from safetensors.torch import load_file

model = p.prepare(sys.argv[1])
from trainers import maple as program

clip = p.tiny(model, {"trainer": "MaPLe", "vision_depth": 0, "language_depth": 0, "vision_ctx": 0, "language_ctx": 0, "maple_length": 2})
clip.load_state_dict(load_file("clip.safetensors"))
cfg = p.namespace(
    TRAINER=p.namespace(MAPLE=p.namespace(N_CTX=2, CTX_INIT="a photo of a", PREC="fp32", PROMPT_DEPTH=2)),
    INPUT=p.namespace(SIZE=(p.IMAGE, p.IMAGE)),
)
# The widths of ViT-B/16 are written into the program.
here = lambda make: lambda *sizes, **rest: make(*[p.WIDTH if s in (512, 768) else s for s in sizes], **rest)
linear, empty = torch.nn.Linear, torch.empty
torch.nn.Linear, torch.empty = here(linear), here(empty)
trainer = program.MaPLe.__new__(program.MaPLe)
trainer.model = program.CustomCLIP(cfg, p.CLASSES, clip)
torch.nn.Linear, torch.empty = linear, empty
trainer.cfg, trainer.scaler = cfg, None
trainer.batch_idx, trainer.num_batches = 0, 9
image, label = p.images(), torch.tensor([0, 4, 2, 1, 3, 0])
trainer.parse_batch_train = lambda _: (image, label)
trainer.model.requires_grad_(False)
trainer.model.prompt_learner.requires_grad_(True)
learned = dict(trainer.model.prompt_learner.named_parameters())
trainer.optim = torch.optim.SGD(learned.values(), lr=0.02, momentum=0.9, weight_decay=5e-4)
out = {"images": image, "labels": label} | p.under("start", learned)
for step in (1, 2):
    out[f"step{step}.loss"] = torch.tensor([trainer.forward_backward(None)["loss"]])
    out |= p.under(f"step{step}.gradient", {n: t.grad for n, t in learned.items()})
    out |= p.under(f"step{step}.after", learned)
trainer.model.eval()
with torch.no_grad():
    out["logits"] = trainer.model(image)
p.save("maple.safetensors", out)
