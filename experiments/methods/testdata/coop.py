"""Makes coop.safetensors by two steps of the published CoOp, for every place of the
class name and kind of context that it has:

    git clone https://github.com/KaiyangZhou/CoOp && python coop.py CoOp
"""

import sys

import published as p
import torch

model = p.prepare(sys.argv[1])
from trainers import coop as program

program.clip.tokenize = lambda text: p.tokenize(text.replace("X", "x"))  # its mark for a learned vector

CASES = {  # words, length, one a class, place of the class name
    "words": ("a photo of a", 0, False, "end"),
    "random": ("", 3, False, "end"),
    "middle": ("", 5, False, "middle"),
    "front": ("a photo of", 0, False, "front"),
    "each": ("", 2, True, "end"),
    "each-middle": ("", 3, True, "middle"),
    "each-front": ("", 2, True, "front"),
}
clip = p.tiny(model)
image, label = p.images(), torch.tensor([0, 4, 2, 1, 3, 0])
out = {"images": image, "labels": label}
for case, (words, length, each, place) in CASES.items():
    cfg = p.namespace(
        TRAINER=p.namespace(COOP=p.namespace(N_CTX=length, CTX_INIT=words, CSC=each, CLASS_TOKEN_POSITION=place, PREC="fp32")),
        INPUT=p.namespace(SIZE=(p.IMAGE, p.IMAGE)),
    )
    trainer = program.CoOp.__new__(program.CoOp)
    trainer.cfg, trainer.batch_idx, trainer.num_batches = cfg, 0, 9
    trainer.model = program.CustomCLIP(cfg, p.CLASSES, clip)
    for name, t in trainer.model.named_parameters():
        t.requires_grad_("prompt_learner" in name)
    context = trainer.model.prompt_learner.ctx
    optimizer = torch.optim.SGD([context], lr=0.02, momentum=0.9, weight_decay=5e-4)
    trainer.parse_batch_train = lambda _: (image, label)

    def update(loss):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    trainer.model_backward_and_update = update
    out[f"{case}.start"] = context.detach().clone()
    for step in (1, 2):
        out[f"{case}.step{step}.loss"] = torch.tensor([trainer.forward_backward(None)["loss"]])
        if step == 1:
            out[f"{case}.gradient"] = context.grad.clone()
        out[f"{case}.step{step}.context"] = context.detach().clone()
    with torch.no_grad():
        out[f"{case}.logits"] = trainer.model(image)
p.save("coop.safetensors", out)
