"""Makes promptkd.safetensors, or with a second argument
promptkd-textrefiner.safetensors, by two steps of the published trainers:

    git clone https://github.com/zhengli97/PromptKD && python promptkd.py PromptKD
    git clone https://github.com/xjjxmu/TextRefiner && python promptkd.py TextRefiner/promptkd_textrefiner textrefiner

The teacher is two random tensors: its class texts and its logits.
"""

import importlib
import sys

import torch
from safetensors.torch import load_file

import published as p

TEACHER, PROMPTS, DEPTH = 40, 3, 2
model = p.prepare(sys.argv[1])
refined = sys.argv[2:] == ["textrefiner"]
if refined:  # asks for a file that was not published, and uses nothing of it
    p.stub("trainers.imagenet_templates", IMAGENET_TEMPLATES=[])
program = importlib.import_module("trainers." + ("textrefiner" if refined else "promptkd"))

design = {"trainer": "IVLP", "vision_depth": DEPTH, "language_depth": 0, "vision_ctx": PROMPTS, "language_ctx": 0}
clip = p.tiny(model, design)
for name, t in load_file("clip.safetensors").items():  # that of clip.py; the prompts are beside it
    clip.get_parameter(name).data.copy_(t)
p.resize(program.Feature_Trans_Module_two_layer, p.EMBED, TEACHER)
program.convert_weights = lambda _: None
cfg = p.namespace(TRAINER=p.namespace(PROMPTKD=p.namespace(PREC="fp32", KD_WEIGHT=1000.0)), OPTIM=p.namespace(MAX_EPOCH=20))
trainer = (program.TextRefiner if refined else program.PromptKD)()
trainer.cfg, trainer.scaler, trainer.temperature = cfg, None, 2.0
trainer.model = program.CustomCLIP(cfg, p.CLASSES, clip)
trained = ("image_trans", "VPT") if refined else ("VPT",)
for name, t in trainer.model.named_parameters():
    t.requires_grad_(any(part in name for part in trained))
parameters = list(trainer.model.named_parameters())
if refined:
    trainer.memory = program.Memory(p.namespace(dtype=torch.float32), feature_dim=TEACHER)
    parameters += trainer.memory.named_parameters()
learned = {n: t for n, t in parameters if t.requires_grad}
trainer.optim = torch.optim.SGD(learned.values(), lr=1e-4, momentum=0.9, weight_decay=5e-4)
trainer.batch_idx, trainer.num_batches = 0, 9
image = p.images()
texts = p.rounded(p.unit(torch.randn(len(p.CLASSES), TEACHER)))
logits = p.rounded(3 * torch.randn(p.BATCH, len(p.CLASSES)))
trainer.parse_batch_train = lambda _: (image, None)
trainer.model_teacher = lambda _: (None, texts, logits)

out = {"images": image, "teacher.texts": texts, "teacher.logits": logits}
state = lambda: p.state(learned, trainer.model) | ({"bank": trainer.memory.text_fine_cache} if refined else {})
out |= p.under("start", state())
for step in (1, 2):
    trainer.model.train()
    if refined:
        trainer.memory.train()
    for name, loss in trainer.forward_backward(None).items():
        out[f"step{step}.{name}"] = torch.tensor([loss])
    if step == 1:
        out |= p.under("gradient", p.gradients(learned))
        out |= p.under("after", state())
trainer.model.eval()
with torch.no_grad():
    feature, scale, *tokens = trainer.model(image)
    if refined:
        trainer.memory.eval()
        texts = trainer.memory(texts, tokens[0])[0]
    out["eval.logits"] = scale * feature @ texts.t()
p.save("promptkd-textrefiner.safetensors" if refined else "promptkd.safetensors", out)
