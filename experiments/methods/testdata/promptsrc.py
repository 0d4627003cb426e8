"""Makes promptsrc.safetensors by two epochs, of a step each, of the published
PromptSRC. The second leaves the Gaussian mean of both:

    git clone https://github.com/muzairkhattak/PromptSRC && python promptsrc.py PromptSRC
"""

import sys

import numpy
import published as p
import torch
from safetensors.torch import load_file

model = p.prepare(sys.argv[1])
from trainers import promptsrc as program


def clip(vision_depth, language_depth, vision_ctx, language_ctx):
    design = {"trainer": "IVLP", "vision_depth": vision_depth, "language_depth": language_depth, "vision_ctx": vision_ctx, "language_ctx": language_ctx}
    m = p.tiny(model, design)
    m.load_state_dict(load_file("clip.safetensors"), strict=False)  # the prompts keep their draws
    return m


program.load_clip_to_cpu = lambda *_: clip(0, 0, 0, 0)  # the frozen one
program.IMAGENET_TEMPLATES = ["a photo of a {}.", "x photo of {}.", "z {}."]
cfg = p.namespace(
    TRAINER=p.namespace(
        PROMPTSRC=p.namespace(
            N_CTX_VISION=3, N_CTX_TEXT=4, CTX_INIT="a photo of a", PREC="fp32", PROMPT_DEPTH_VISION=3, PROMPT_DEPTH_TEXT=2,
            TEXT_LOSS_WEIGHT=25, IMAGE_LOSS_WEIGHT=10,
        )
    ),
    INPUT=p.namespace(SIZE=(p.IMAGE, p.IMAGE)),
    OPTIM=p.namespace(MAX_EPOCH=2),
)
trainer = program.PromptSRC.__new__(program.PromptSRC)
trainer.model = program.CustomCLIP(cfg, p.CLASSES, clip(3, 2, 3, 4))
trainer.cfg, trainer.scaler = cfg, None
trainer.batch_idx, trainer.num_batches, trainer.update_lr = 0, 1, lambda: None
trainer.step_counter, trainer.previous_model_gpa = 1, None
gauss = trainer.get_gauss(2, 1)
trainer.gauss = numpy.array([gauss(a) for a in (1, 2)])
trainer.gauss = trainer.gauss / sum(trainer.gauss)
image, label = p.images(), torch.tensor([0, 4, 2, 1, 3, 0])
trainer.parse_batch_train = lambda _: (image, label)
learned = {}
for name, t in trainer.model.named_parameters():
    t.requires_grad_("VPT" in name or name == "prompt_learner.ctx")
    if t.requires_grad:
        learned[name] = t
trainer.optim = torch.optim.SGD(learned.values(), lr=0.02, momentum=0.9, weight_decay=5e-4)
out = {"images": image, "labels": label} | p.under("start", learned)
for step in (1, 2):
    out[f"step{step}.loss"] = torch.tensor([trainer.forward_backward(None)["loss"]])
    out |= p.under(f"step{step}.gradient", {n: t.grad for n, t in learned.items()})
    out |= p.under(f"step{step}.after", learned)
trainer.model.eval()
with torch.no_grad():
    out["logits"] = trainer.model(image)
p.save("promptsrc.safetensors", out)
