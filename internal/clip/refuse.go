package clip

import (
	"fmt"
	"strings"
)

// strangers are models that people take for a CLIP with a vision transformer,
// by a part of the names of their tensors.
var strangers = []struct{ part, what string }{
	{"visual.attnpool.", "a CLIP whose image encoder is a ResNet (RN50, RN101, RN50x4, …); a vision transformer is wanted"},
	{"visual.layer1.0.conv1", "a CLIP whose image encoder is a ResNet (RN50, RN101, RN50x4, …); a vision transformer is wanted"},
	{"vision_model.head.probe", "a SigLIP; only CLIP is supported"},
	{"logit_bias", "a SigLIP; only CLIP is supported"},
	{"visual.trunk.", "an open_clip model whose image encoder is of timm (SigLIP, ConvNeXt, …); only CLIP's own vision transformer is supported"},
	{"text_decoder.", "a CoCa; only CLIP is supported"},
	{"visual.attn_pool.", "an open_clip model with attention pooling (CoCa, ViT-H of some releases); only CLIP's own vision transformer is supported"},
	{"visual.blocks.", "an EVA-CLIP; only CLIP's own vision transformer is supported"},
	{".ls_1.", "an open_clip model with layer scale; only CLIP's own transformer is supported"},
	{"text.transformer.resblocks.", "an open_clip model with a text encoder of its own kind (custom_text); only CLIP's own is supported"},
	{"text.roberta.", "an open_clip model with a Hugging Face text encoder; only CLIP's own is supported"},
	{"text_model.encoder.layer.", "a CLIP with a BERT text encoder (Chinese-CLIP, AltCLIP, …); only CLIP's own is supported"},
	{"text_model.roberta.", "a CLIP with a BERT text encoder (AltCLIP, …); only CLIP's own is supported"},
	{"text_encoder.encoder.layer.", "a BLIP or ALBEF; only CLIP is supported"},
	{"qformer.", "a BLIP-2; only CLIP is supported"},
	{"lora_", "LoRA weights, not a whole model"},
	{"ctx", "learned prompts, not a whole model"},
}

// refuse names a model that cannot be computed.
func refuse(names []string) error {
	for _, s := range strangers {
		for _, name := range names {
			if strings.Contains(name, s.part) {
				return fmt.Errorf("this is %s (tensor %.100s)", s.what, name)
			}
		}
	}
	vision, text := false, false
	for _, name := range names {
		vision = vision || strings.HasPrefix(name, "vision_model.") || strings.HasPrefix(name, "visual.")
		text = text || strings.HasPrefix(name, "text_model.") || strings.HasPrefix(name, "transformer.")
	}
	switch {
	case vision && !text:
		return fmt.Errorf("this is an image encoder alone (%d tensors); both encoders of a CLIP are needed", len(names))
	case text && !vision:
		return fmt.Errorf("this is a text model alone (%d tensors); both encoders of a CLIP are needed", len(names))
	}
	return nil
}

func isHuggingFace(names []string) bool {
	for _, name := range names {
		if strings.HasPrefix(name, "vision_model.") {
			return true
		}
	}
	return false
}
