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
	hfPositions = regexp.MustCompile(`^(text|vision)_model\.embeddings\.position_ids$`)
)

// HFToOpenAI reads all tensors of a Hugging Face CLIPModel file and returns
// them under the names and in the layout of OpenAI's state dict: query, key
// and value stacked into in_proj [3W, W], projections transposed to [W, D].
// A name that a CLIPModel does not have is an error.
func HFToOpenAI(f *File) (map[string]Tensor, error) {
	out := make(map[string]Tensor, len(f.names))
	for _, name := range f.names {
		if hfPositions.MatchString(name) { // 0..N-1, stored by older versions
			continue
		}
		target, part, ok := openAIName(name)
		if !ok {
			return nil, fmt.Errorf("weights %s: tensor %q is not of a Hugging Face CLIPModel", f.name, name)
		}
		var err error
		switch {
		case part == "q":
			out[target], err = stackQKV(f, name)
		case part != "": // read together with its query
			err = f.wants(strings.Replace(name, part+"_proj", "q_proj", 1))
		case hfTransposed[target]:
			out[target], err = transposed(f, name)
		default:
			out[target], err = f.Tensor(name)
		}
		if err != nil {
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
func stackQKV(f *File, name string) (Tensor, error) {
	q, err := f.Tensor(name)
	if err != nil {
		return Tensor{}, err
	}
	if len(q.Shape) == 0 {
		return Tensor{}, fmt.Errorf("weights %s: tensor %q is a scalar", f.name, name)
	}
	out := Tensor{Shape: append([]int{3 * q.Shape[0]}, q.Shape[1:]...), Data: q.Data}
	for _, part := range []string{"k_proj", "v_proj"} {
		other := strings.Replace(name, "q_proj", part, 1)
		x, err := f.Tensor(other)
		if err != nil {
			return Tensor{}, err
		}
		if !slices.Equal(x.Shape, q.Shape) {
			return Tensor{}, fmt.Errorf("weights %s: tensor %q has shape %v, its query has %v", f.name, other, x.Shape, q.Shape)
		}
		out.Data = append(out.Data, x.Data...)
	}
	return out, nil
}

// transposed reads a matrix [R, C] as [C, R].
func transposed(f *File, name string) (Tensor, error) {
	x, err := f.Tensor(name)
	if err != nil {
		return Tensor{}, err
	}
	if len(x.Shape) != 2 {
		return Tensor{}, fmt.Errorf("weights %s: tensor %q has shape %v, wanted a matrix", f.name, name, x.Shape)
	}
	rows, cols := x.Shape[0], x.Shape[1]
	out := Tensor{Shape: []int{cols, rows}, Data: make([]float32, len(x.Data))}
	for r := range rows {
		for c := range cols {
			out.Data[c*rows+r] = x.Data[r*cols+c]
		}
	}
	return out, nil
}
