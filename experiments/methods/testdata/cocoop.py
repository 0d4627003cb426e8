"""Makes cocoop.safetensors by two steps of the published CoCoOp:

    git clone https://github.com/KaiyangZhou/CoOp && python cocoop.py CoOp
"""

import sys

import published as p
import torch

model = p.prepare(sys.argv[1])
from trainers import cocoop as program

clip = p.tiny(model)
image, label = p.images(), torch.tensor([0, 4, 2, 1, 3, 0])
cfg = p.namespace(
    TRAINER=p.namespace(COCOOP=p.namespace(N_CTX=4, CTX_INIT="a photo of a", PREC="fp32")),
    INPUT=p.namespace(SIZE=(p.IMAGE, p.IMAGE)),
)
trainer = program.CoCoOp.__new__(program.CoCoOp)
trainer.cfg, trainer.batch_idx, trainer.num_batches, trainer.scaler = cfg, 0, 9, None
trainer.model = program.CustomCLIP(cfg, p.CLASSES, clip)
for name, t in trainer.model.named_parameters():
    t.requires_grad_("prompt_learner" in name)
learned = dict(trainer.model.prompt_learner.named_parameters())
trainer.optim = torch.optim.SGD(learned.values(), lr=0.02, momentum=0.9, weight_decay=5e-4)
out = {"images": image, "labels": label} | p.under("start", learned)
for step, rows in ((1, slice(0, 6)), (2, slice(1, 2))):  # a batch, and the one image of the published recipe
    trainer.parse_batch_train = lambda _: (image[rows], label[rows])
    out[f"step{step}.loss"] = torch.tensor([trainer.forward_backward(None)["loss"]])
    out |= p.under(f"step{step}.gradient", {n: t.grad for n, t in learned.items()})
    out |= p.under(f"step{step}.after", learned)
trainer.model.eval()
with torch.no_grad():
    out["logits"] = trainer.model(image)
p.save("cocoop.safetensors", out)
