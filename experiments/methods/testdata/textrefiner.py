"""Makes textrefiner.safetensors by two steps of the published TextRefiner on CoOp:

    git clone https://github.com/xjjxmu/TextRefiner && python textrefiner.py TextRefiner
"""

import sys

import torch

import published as p

model = p.prepare(sys.argv[1])
from trainers import textrefiner as program

clip = p.tiny(model)
p.resize(program.Feature_Trans_Module_two_layer, p.EMBED, p.EMBED)
program.convert_weights = lambda _: None
cfg = p.namespace(
    TRAINER=p.namespace(COOP=p.namespace(N_CTX=4, CTX_INIT="a photo of a", CSC=False, CLASS_TOKEN_POSITION="end", PREC="fp32")),
    INPUT=p.namespace(SIZE=(p.IMAGE, p.IMAGE)),
)
trainer = program.TextRefiner.__new__(program.TextRefiner)
trainer.cfg, trainer.balance, trainer.distill = cfg, 50.0, 20.0
trainer.model = program.CustomCLIP(cfg, p.CLASSES, clip)
trainer.memory = program.Memory(p.namespace(dtype=torch.float32), feature_dim=p.EMBED, memory_size=25)
for name, t in trainer.model.named_parameters():
    t.requires_grad_("prompt_learner" in name or "mid_image_trans" in name)
learned = {n: t for n, t in [*trainer.model.named_parameters(), *trainer.memory.named_parameters()] if t.requires_grad}
trainer.optim = torch.optim.SGD(learned.values(), lr=0.02, momentum=0.9, weight_decay=5e-4)
trainer.batch_idx, trainer.num_batches = 0, 9
image, label = p.images(), torch.tensor([0, 4, 2, 1, 3, 0])
trainer.parse_batch_train = lambda _: (image, label)

out = {"images": image, "labels": label}
state = lambda: p.state(learned, trainer.model) | {"bank": trainer.memory.text_fine_cache}
out |= p.under("start", state())
for step in (1, 2):
    trainer.model.train()
    trainer.memory.train()
    for name, loss in trainer.forward_backward(None).items():
        out[f"step{step}.{name}"] = torch.tensor([float(loss)])
    if step == 1:
        out |= p.under("gradient", p.gradients(learned))
        out |= p.under("after", state())
trainer.model.eval()
trainer.memory.eval()
with torch.no_grad():
    text, feature, scale, tokens, _ = trainer.model(image)
    out["eval.logits"] = scale * feature @ trainer.memory(text, tokens)[0].t()
p.save("textrefiner.safetensors", out)
