"""Writes the small checkpoints that the tests open, one of each format, and what
transformers computes with them: python small.py ../../internal/clip/testdata"""
import pathlib
import sys

import torch
from safetensors.torch import save_file

import checkpoints

TYPES = {"hf-sharded": torch.float16, "open_clip-safetensors": torch.bfloat16, "open_clip-bin": torch.float16,
         "wrapped": torch.bfloat16, "legacy": torch.float16}


def expected(model, size):
    torch.manual_seed(7)
    pixels = torch.randn(2, 3, size.image, size.image)
    end = size.vocabulary - 1
    ids = torch.full((3, 9), end)
    for row, length in enumerate((4, 9, 6)):
        ids[row, :length - 1] = torch.randint(1, end - 1, (length - 1,))
    with torch.no_grad():
        out = model(input_ids=ids, pixel_values=pixels)
    return dict(pixels=pixels, ids=ids, eot=torch.tensor([[3], [8], [5]]),
                image=out.image_embeds, text=out.text_embeds, logits=out.logits_per_image)


root = pathlib.Path(sys.argv[1])
size = checkpoints.SIZES["tiny"]
for act, kinds in (("quick_gelu", checkpoints.KINDS), ("gelu", ["hf", "open_clip-safetensors"])):
    model = checkpoints.make("tiny", act)
    save_file({k: v.contiguous() for k, v in expected(model, size).items()}, root / f"{act}.safetensors")
    for kind in kinds:
        checkpoints.write(model, "tiny", kind, root / (kind if act == "quick_gelu" else kind + "-gelu"),
                          TYPES.get(kind, torch.float32))
