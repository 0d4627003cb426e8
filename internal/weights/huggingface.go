package weights

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// hfNames maps tensors of Hugging Face's CLIPModel outside the blocks to the
// names of OpenAI's state dict.
var hfNames = map[string]string{
	"logit_scale": "logit_scale",

	"text_model.embeddings.token_embedding.weight":    "token_embedding.weight",
	"text_model.embeddings.position_embedding.weight": "positional_embedding",
	"text_model.final_layer_norm.weight":              "ln_final.weight",
	"text_model.final_layer_norm.bias":                "ln_final.bias",
	"text_projection.weight":                          "text_projection",

	"vision_model.embeddings.class_embedding":           "visual.class_embedding",
	"vision_model.embeddings.patch_embedding.weight":    "visual.conv1.weight",
	"vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
	"vision_model.pre_layrnorm.weight":                  "visual.ln_pre.weight",
	"vision_model.pre_layrnorm.bias":                    "visual.ln_pre.bias",
	"vision_model.post_layernorm.weight":                "visual.ln_post.weight",
	"vision_model.post_layernorm.bias":                  "visual.ln_post.bias",
	"visual_projection.weight":                          "visual.proj",
}

// hfTransposed are linear layers [out, in] that OpenAI keeps as x @ P, [in, out].
var hfTransposed = map[string]bool{"text_projection": true, "visual.proj": true}

// hfTowers and hfBlockNames translate the two halves of a block's tensor name.
var (
	hfTowers     = map[string]string{"text": "transformer", "vision": "visual.transformer"}
	hfBlockNames = map[string]string{
		"layer_norm1":        "ln_1",
		"layer_norm2":        "ln_2",
		"mlp.fc1":            "mlp.c_fc",
		"mlp.fc2":            "mlp.c_proj",
		"self_attn.out_proj": "attn.out_proj",
	}
)

var (
	hfBlock     = regexp.MustCompile(`^(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$`)
	hfQKV       = regexp.MustCompile(`^self_attn\.([qkv])_proj$`)
	hfPositions = regexp.MustCompile(`^(text_model|vision_model)\.embeddings\.position_ids$`)
)

// OpenAI returns a view of a Hugging Face CLIPModel's file under the names and
// in the layout of OpenAI's state dict: query, key and value stacked into
// in_proj [3W, W], projections transposed to [W, D]. Nothing is read; closing
// either closes both. A name that a CLIPModel does not have is an error.
func (f *File) OpenAI() (*File, error) {
	p := &parsed{format: f.format, meta: f.meta, entries: make(map[string]entry, len(f.names))}
	for _, name := range f.names {
		if hfPositions.MatchString(name) { // 0..N-1, stored by older versions
			continue
		}
		target, part, ok := openAIName(name)
		if !ok {
			return nil, fmt.Errorf("weights %s: tensor %.100q is not of a Hugging Face CLIPModel", f.name, name)
		}
		e := f.entries[name]
		var err error
		switch {
		case part == "q":
			e, err = f.stackQKV(name)
		case part != "": // joined to its query
			if err := f.wants(strings.Replace(name, part+"_proj", "q_proj", 1)); err != nil {
				return nil, err
			}
			continue
		case hfTransposed[target] && len(e.shape) != 2:
			err = fmt.Errorf("weights %s: tensor %q has shape %v, wanted a matrix", f.name, name, e.shape)
		case hfTransposed[target]:
			e = e.transposed()
		}
		if err != nil {
			return nil, err
		}
		p.entries[target] = e
	}
	view := newFile(f.name, p)
	view.hash, view.closed, view.unmap = f.hash, f.closed, f.unmap
	return view, nil
}

// HFToOpenAI reads all tensors of a Hugging Face CLIPModel, as OpenAI has them.
func HFToOpenAI(f *File) (map[string]Tensor, error) {
	view, err := f.OpenAI()
	if err != nil {
		return nil, err
	}
	out := make(map[string]Tensor, len(view.names))
	for _, name := range view.names {
		if out[name], err = view.Tensor(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// openAIName translates a name. For query, key and value, which share one
// target, part is "q", "k" or "v".
func openAIName(name string) (target, part string, ok bool) {
	if target, ok = hfNames[name]; ok {
		return target, "", true
	}
	m := hfBlock.FindStringSubmatch(name)
	if m == nil {
		return "", "", false
	}
	block := hfTowers[m[1]] + ".resblocks." + m[2] + "."
	if qkv := hfQKV.FindStringSubmatch(m[3]); qkv != nil {
		return block + "attn.in_proj_" + m[4], qkv[1], true
	}
	inner, ok := hfBlockNames[m[3]]
	return block + inner + "." + m[4], "", ok
}

// stackQKV joins the query tensor called name with its key and value along the
// first axis.
func (f *File) stackQKV(name string) (entry, error) {
	q := f.entries[name]
	if len(q.shape) == 0 {
		return entry{}, fmt.Errorf("weights %s: tensor %q is a scalar", f.name, name)
	}
	parts := []entry{q}
	for _, part := range []string{"k_proj", "v_proj"} {
		other := strings.Replace(name, "q_proj", part, 1)
		if err := f.wants(other); err != nil {
			return entry{}, err
		}
		x := f.entries[other]
		if !slices.Equal(x.shape, q.shape) || x.dtype != q.dtype {
			return entry{}, fmt.Errorf("weights %s: tensor %q is %v %v, its query is %v %v", f.name, other, x.dtype, x.shape, q.dtype, q.shape)
		}
		parts = append(parts, x)
	}
	return join(parts...), nil
}
