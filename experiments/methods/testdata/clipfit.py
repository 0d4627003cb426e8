"""Makes clipfit.safetensors by two steps of the published CLIPFit:

    git clone https://github.com/minglllli/CLIPFit && python clipfit.py CLIPFit/CLIPFit
"""

import sys

import published as p
import torch

model = p.prepare(sys.argv[1])
from trainers import ClipFit as program

program.load_clip_to_cpu = lambda _: p.tiny(model)
torch.cuda.device_count = lambda: 0
trainer = program.ClipFit.__new__(program.ClipFit)
trainer.cfg = p.namespace(
    TRAINER=p.namespace(COOP=p.namespace(PREC="fp32")), DATASET=p.namespace(NAME="Caltech101"), OPTIM=None,
    MODEL=p.namespace(INIT_WEIGHTS="", BACKBONE=p.namespace(NAME="tiny")),
)
trainer.dm, trainer.device = p.namespace(dataset=p.namespace(classnames=p.CLASSES)), "cpu"
trainer.register_model = lambda *_: None
trainer.build_model()
trainer.batch_idx, trainer.num_batches = 0, 9
image, label = p.images(), torch.tensor([0, 4, 2, 1, 3, 0])
trainer.parse_batch_train = lambda _: (image, label)
learned = {n: t for n, t in trainer.model.prompt_learner.named_parameters() if t.requires_grad}
# As CLIP itself names them.
learned = {n.replace("text_encoder.", "").replace("image_encoder.", "visual."): t for n, t in learned.items()}
optimizer = torch.optim.SGD(learned.values(), lr=0.02, momentum=0.9, weight_decay=5e-4)


def update(loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


trainer.model_backward_and_update = update
out = {"images": image, "labels": label}
for step in (1, 2):
    out[f"step{step}.loss"] = torch.tensor([trainer.forward_backward(None)["loss"]])
    out |= p.under(f"step{step}.gradient", {n: t.grad for n, t in learned.items()})
    out |= p.under(f"step{step}.after", learned)
with torch.no_grad():
    out["logits"] = trainer.model(image)
p.save("clipfit.safetensors", out)
