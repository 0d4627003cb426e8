package clip

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"spotlighter/layers"
	"spotlighter/textenc"
)

// hfTower is one encoder in a CLIPModel's config.json.
type hfTower struct {
	Width   int             `json:"hidden_size"`
	Hidden  int             `json:"intermediate_size"`
	Layers  int             `json:"num_hidden_layers"`
	Heads   int             `json:"num_attention_heads"`
	Act     string          `json:"hidden_act"`
	Eps     float64         `json:"layer_norm_eps"`
	Image   int             `json:"image_size"`
	Patch   int             `json:"patch_size"`
	Words   int             `json:"vocab_size"`
	Context int             `json:"max_position_embeddings"`
	EOS     json.RawMessage `json:"eos_token_id"`
}

// legacyEOS is the end token that early configurations name, wrongly; it makes
// the library look for the largest id, which in CLIP's vocabulary is the end.
const legacyEOS = "2"

// readHuggingFace reads config.json, with transformers' defaults, and the
// preprocessor's configuration if it is there.
func readHuggingFace(folder string) (*config, error) {
	path := filepath.Join(folder, "config.json")
	said := struct {
		ModelType string  `json:"model_type"`
		Text      hfTower `json:"text_config"`
		Vision    hfTower `json:"vision_config"`
	}{
		Text:   hfTower{Heads: 8, Act: QuickGELU, Eps: layers.Eps},
		Vision: hfTower{Heads: 12, Act: QuickGELU, Eps: layers.Eps},
	}
	ok, err := readJSON(path, &said)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("a Hugging Face model needs its config.json in the same folder: heads and activation are not in the tensors")
	}
	t, v := said.Text, said.Vision
	eos := string(t.EOS)
	switch {
	case said.ModelType != "clip":
		return nil, fmt.Errorf("config.json says model_type %q, wanted clip", said.ModelType)
	case t.Act != v.Act:
		return nil, fmt.Errorf("config.json says hidden_act %q for text and %q for images; one for both is supported", t.Act, v.Act)
	case t.Eps != layers.Eps || v.Eps != layers.Eps:
		return nil, fmt.Errorf("config.json says layer_norm_eps %g and %g, wanted %g", t.Eps, v.Eps, layers.Eps)
	case t.Words == textenc.VocabSize && eos != "" && eos != legacyEOS && eos != fmt.Sprint(textenc.EOT):
		return nil, fmt.Errorf("config.json says eos_token_id %.40s, wanted %d", eos, textenc.EOT)
	}
	cfg := &config{
		path: path, activation: t.Act,
		text:   tower{width: t.Width, hidden: t.Hidden, layers: t.Layers, heads: t.Heads, vocabulary: t.Words, context: t.Context},
		vision: tower{width: v.Width, hidden: v.Hidden, layers: v.Layers, heads: v.Heads, image: v.Image, patch: v.Patch},
	}
	var images struct {
		Mean []float32 `json:"image_mean"`
		Std  []float32 `json:"image_std"`
	}
	if _, err := readJSON(filepath.Join(folder, "preprocessor_config.json"), &images); err != nil {
		return nil, err
	}
	cfg.mean, cfg.std = images.Mean, images.Std
	return cfg, nil
}
