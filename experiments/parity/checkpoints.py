"""Random CLIPs, and the files that each published format would keep them in.

A model is made by transformers; its tensors are renamed to OpenAI's names here,
independently of the Go program, which has to find its way back.
"""
import collections
import copy
import dataclasses
import json
import pathlib
import re

import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

CONTEXT = 77
KINDS = ["torchscript", "hf", "hf-sharded", "open_clip-safetensors", "open_clip-bin", "wrapped", "legacy"]


@dataclasses.dataclass
class Size:
    """image, patch, then width, layers and MLP width of both encoders."""
    image: int
    patch: int
    vision: tuple
    text: tuple
    joint: int
    vocabulary: int = 49408
    context: int = CONTEXT


SIZES = {
    "ViT-B-32": Size(224, 32, (768, 12, 3072), (512, 12, 2048), 512),
    "ViT-B-16": Size(224, 16, (768, 12, 3072), (512, 12, 2048), 512),
    "ViT-L-14": Size(224, 14, (1024, 24, 4096), (768, 12, 3072), 768),
    "tiny": Size(8, 4, (64, 2, 16), (64, 1, 16), 16, vocabulary=96, context=16),
}


def make(name, act="quick_gelu", seed=5):
    """A random CLIP in which every bias and norm differs from its initial
    value, as in a trained one. Its weights are exact in half precision and in
    bfloat16, so that files of any type hold the same model."""
    s = SIZES[name]
    config = CLIPConfig(
        projection_dim=s.joint,
        text_config=dict(vocab_size=s.vocabulary, hidden_size=s.text[0], num_hidden_layers=s.text[1],
                         intermediate_size=s.text[2], num_attention_heads=s.text[0] // 64, projection_dim=s.joint,
                         max_position_embeddings=s.context, hidden_act=act,
                         bos_token_id=s.vocabulary - 2, eos_token_id=s.vocabulary - 1),
        vision_config=dict(image_size=s.image, patch_size=s.patch, hidden_size=s.vision[0],
                           num_hidden_layers=s.vision[1], intermediate_size=s.vision[2],
                           num_attention_heads=s.vision[0] // 64, projection_dim=s.joint, hidden_act=act))
    config._attn_implementation = "eager"
    torch.manual_seed(seed)
    model = CLIPModel(config).eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.dim() == 1 and key.endswith("bias"):
                p.normal_(0, 0.02)
            elif p.dim() == 1 and "norm" in key:
                p.normal_(1, 0.1)
            p.copy_(p.bfloat16().float())
            p[p.abs() < 2.0**-14] = 0  # beyond half precision's exact range
    return model


def openai_names(model):
    """The state dict as OpenAI and open_clip name it."""
    sd, out = model.state_dict(), collections.OrderedDict()
    inner = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
             "self_attn.out_proj": "attn.out_proj"}
    whole = {
        "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "vision_model.embeddings.class_embedding": "visual.class_embedding",
        "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
        "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
        "logit_scale": "logit_scale",
    }
    for key, value in sd.items():
        if key in whole:
            out[whole[key]] = value
        elif key in ("text_projection.weight", "visual_projection.weight"):
            out["text_projection" if key[0] == "t" else "visual.proj"] = value.T.contiguous()
        elif m := re.match(r"(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$", key):
            block = ("visual." if m[1] == "vision" else "") + f"transformer.resblocks.{m[2]}."
            if m[3] == "self_attn.q_proj":
                parts = [sd[key.replace("q_proj", p)] for p in ("q_proj", "k_proj", "v_proj")]
                out[block + "attn.in_proj_" + m[4]] = torch.cat(parts)
            elif m[3] in inner:
                out[block + inner[m[3]] + "." + m[4]] = value
        elif "final_layer_norm" in key:
            out["ln_final." + key.rsplit(".", 1)[1]] = value
        elif "layrnorm" in key or "post_layernorm" in key:
            out[("visual.ln_pre." if "layrnorm" in key else "visual.ln_post.") + key.rsplit(".", 1)[1]] = value
    return out


def is_half(name):
    return bool(re.search(r"conv1|attn\.|mlp\.|proj$", name))


class Bare(torch.nn.Module):
    """A module that only holds tensors, to be scripted."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def torchscript(state, path, image, context, vocabulary):
    """An archive as torch.jit.save writes it, with the three extra attributes
    that OpenAI's have."""
    root = Bare()
    for name, value in state.items():
        at = root
        *parents, leaf = name.split(".")
        for p in parents:
            if not hasattr(at, p):
                at.add_module(p, Bare())
            at = getattr(at, p)
        value = value.half() if is_half(name) else value
        at.register_parameter(leaf, torch.nn.Parameter(value.clone(), requires_grad=False))
    for key, n in (("input_resolution", image), ("context_length", context), ("vocab_size", vocabulary)):
        root.register_buffer(key, torch.tensor(n))
    torch.jit.script(root).save(str(path))


def open_clip_config(name, act):
    s = SIZES[name]
    model = dict(embed_dim=s.joint,
                 vision_cfg=dict(image_size=s.image, layers=s.vision[1], width=s.vision[0], patch_size=s.patch),
                 text_cfg=dict(context_length=s.context, vocab_size=s.vocabulary, width=s.text[0],
                               heads=s.text[0] // 64, layers=s.text[1]))
    for cfg, tower in ((model["vision_cfg"], s.vision), (model["text_cfg"], s.text)):
        if tower[2] != 4 * tower[0]:
            cfg["mlp_ratio"] = tower[2] / tower[0]
    if act == "quick_gelu":
        model["quick_gelu"] = True
    return dict(model_cfg=model, preprocess_cfg=dict(mean=[0.48145466, 0.4578275, 0.40821073],
                                                     std=[0.26862954, 0.26130258, 0.27577711]))


def write(model, name, kind, folder, dtype=torch.float32):
    """Writes the model as a file of the kind and returns what to open."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    act = model.config.vision_config.hidden_act
    if kind == "torchscript":  # always the mix of types and the activation that OpenAI has
        assert act == "quick_gelu"
        s = SIZES[name]
        torchscript(openai_names(model), folder / "model.pt", s.image, s.context, s.vocabulary)
        return folder / "model.pt"
    if kind.startswith("hf"):
        shard = "50GB" if kind == "hf" else "100KB" if name == "tiny" else "300MB"
        copy.deepcopy(model).to(dtype).save_pretrained(folder, max_shard_size=shard)
        return folder
    (folder / "open_clip_config.json").write_text(json.dumps(open_clip_config(name, act), indent=1) + "\n")
    state = collections.OrderedDict((k, v.to(dtype).clone().contiguous()) for k, v in openai_names(model).items())
    if kind == "open_clip-safetensors":
        path = folder / "open_clip_model.safetensors"
        save_file(state, path)
    elif kind == "open_clip-bin":
        path = folder / "open_clip_pytorch_model.bin"
        torch.save(state, path)
    elif kind == "wrapped":  # a training program's checkpoint
        path = folder / "epoch_3.pt"
        torch.save({"epoch": 3, "name": name, "state_dict": {"module." + k: v for k, v in state.items()},
                    "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3}]}}, path)
    elif kind == "legacy":
        path = folder / "old.pt"
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        raise ValueError(kind)
    return path
