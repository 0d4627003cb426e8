package clip

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// openCLIPKeys are the settings of open_clip's model_cfg that are understood,
// by section; any other that is set changes the model in a way that is not.
var openCLIPKeys = map[string][]string{
	"model": {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu"},
	"vision_cfg": {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size",
		"patch_dropout", "global_average_pool", "attentional_pool", "timm_model_name"},
	"text_cfg": {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "embed_cls", "hf_model_name"},
}

// readOpenCLIP reads open_clip_config.json; nil if there is none.
func readOpenCLIP(folder string) (*config, error) {
	path := filepath.Join(folder, "open_clip_config.json")
	var said struct {
		Model      map[string]json.RawMessage `json:"model_cfg"`
		Preprocess struct {
			Mean          []float32
			Std           []float32
			Interpolation string
			ResizeMode    string `json:"resize_mode"`
		} `json:"preprocess_cfg"`
	}
	if ok, err := readJSON(path, &said); err != nil || !ok {
		return nil, err
	}
	fail := func(err error) (*config, error) { return nil, fmt.Errorf("open_clip_config.json: %w", err) }
	if err := onlyKnown(said.Model, "model"); err != nil {
		return fail(err)
	}
	quick := false
	visual := struct {
		Image     size    `json:"image_size"`
		Patch     size    `json:"patch_size"`
		Layers    int     `json:"layers"`
		Width     int     `json:"width"`
		HeadWidth int     `json:"head_width"`
		Ratio     float64 `json:"mlp_ratio"`
	}{HeadWidth: 64, Ratio: 4}
	text := struct {
		Context int     `json:"context_length"`
		Words   int     `json:"vocab_size"`
		Width   int     `json:"width"`
		Heads   int     `json:"heads"`
		Layers  int     `json:"layers"`
		Ratio   float64 `json:"mlp_ratio"`
	}{Heads: 8, Ratio: 4}
	for key, into := range map[string]any{"vision_cfg": &visual, "text_cfg": &text, "quick_gelu": &quick} {
		raw, ok := said.Model[key]
		if !ok {
			continue
		}
		if key != "quick_gelu" {
			var section map[string]json.RawMessage
			if err := json.Unmarshal(raw, &section); err != nil {
				return fail(fmt.Errorf("%s: %w", key, err))
			}
			if err := onlyKnown(section, key); err != nil {
				return fail(err)
			}
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return fail(fmt.Errorf("%s: %w", key, err))
		}
	}
	p := said.Preprocess
	switch {
	case visual.HeadWidth < 1:
		return fail(fmt.Errorf("head_width %d", visual.HeadWidth))
	case p.Interpolation != "" && p.Interpolation != "bicubic":
		return fail(fmt.Errorf("images are scaled by %q, only bicubic is supported", p.Interpolation))
	case p.ResizeMode != "" && p.ResizeMode != "shortest":
		return fail(fmt.Errorf("images are resized by %q, only shortest is supported", p.ResizeMode))
	}
	cfg := &config{
		path: path, activation: GELU, mean: p.Mean, std: p.Std,
		vision: tower{width: visual.Width, hidden: int(float64(visual.Width) * visual.Ratio), layers: visual.Layers,
			heads: visual.Width / visual.HeadWidth, image: int(visual.Image), patch: int(visual.Patch)},
		text: tower{width: text.Width, hidden: int(float64(text.Width) * text.Ratio), layers: text.Layers,
			heads: text.Heads, vocabulary: text.Words, context: text.Context},
	}
	if quick {
		cfg.activation = QuickGELU
	}
	return cfg, nil
}

// onlyKnown refuses settings that are not understood unless they are off.
func onlyKnown(section map[string]json.RawMessage, name string) error {
	for _, key := range slices.Sorted(maps.Keys(section)) {
		value := string(section[key])
		off := value == "null" || value == "false" || value == "0" || value == "0.0" || value == `""`
		known := slices.Contains(openCLIPKeys[name], key)
		switch key { // understood only when off
		case "global_average_pool", "attentional_pool", "timm_model_name", "embed_cls", "hf_model_name":
			known = false
		}
		if !known && !off {
			return fmt.Errorf("%s has %s: %.60s, which is not supported", name, key, value)
		}
	}
	return nil
}

// size is a side in pixels: a number, or a pair of equal ones.
type size int

// UnmarshalJSON implements json.Unmarshaler.
func (s *size) UnmarshalJSON(b []byte) error {
	var pair [2]int
	if json.Unmarshal(b, &pair) == nil {
		if pair[0] != pair[1] {
			return fmt.Errorf("images or patches of %d x %d are not square", pair[0], pair[1])
		}
		*s = size(pair[0])
		return nil
	}
	return json.Unmarshal(b, (*int)(s))
}
