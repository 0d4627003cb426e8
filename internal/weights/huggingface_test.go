package weights

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"spotlighter/internal/shared"
)

// hfFile writes tensors of shape [2, 2], holding 10i + 0..3 for name i, and opens them.
func hfFile(t *testing.T, names ...string) *File {
	t.Helper()
	tensors := map[string]Tensor{}
	for i, name := range names {
		v := float32(10 * i)
		tensors[name] = Tensor{Shape: []int{2, 2}, Data: []float32{v, v + 1, v + 2, v + 3}}
	}
	path := filepath.Join(t.TempDir(), "hf.safetensors")
	if err := Save(path, tensors, nil, "F32"); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestHFToOpenAI(t *testing.T) {
	const block = "vision_model.encoder.layers.11."
	got, err := HFToOpenAI(hfFile(t,
		block+"self_attn.q_proj.weight", block+"self_attn.k_proj.weight", block+"self_attn.v_proj.weight",
		"text_projection.weight", "text_model.encoder.layers.0.mlp.fc1.weight",
		"vision_model.embeddings.position_ids"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Tensor{
		"visual.transformer.resblocks.11.attn.in_proj_weight": {
			Shape: []int{6, 2},
			Data:  []float32{0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23},
		},
		"text_projection":                         {Shape: []int{2, 2}, Data: []float32{30, 32, 31, 33}},
		"transformer.resblocks.0.mlp.c_fc.weight": {Shape: []int{2, 2}, Data: []float32{40, 41, 42, 43}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHFToOpenAIRefuses(t *testing.T) {
	const attn = "text_model.encoder.layers.0.self_attn."
	for want, names := range map[string][]string{
		"vision_model.head.probe": {"vision_model.head.probe"},
		attn + "q_proj.bias":      {attn + "k_proj.bias"},
		attn + "v_proj.bias":      {attn + "q_proj.bias", attn + "k_proj.bias"},
	} {
		if _, err := HFToOpenAI(hfFile(t, names...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want an error that names %s", names, err, want)
		}
	}
}

// TestHFToOpenAIReal takes a checkpoint as the transformers library saves it:
// vision width 64, text width 48, joint width 40.
func TestHFToOpenAIReal(t *testing.T) {
	path := shared.Path(t, "fixtures/hf_clip_tiny/model.safetensors")
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := HFToOpenAI(f)
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + 5 + 8 + 12*(2+3); len(got) != want {
		t.Errorf("%d tensors, want %d", len(got), want)
	}
	for name, shape := range map[string][]int{
		"visual.proj":         {64, 40},
		"text_projection":     {48, 40},
		"visual.conv1.weight": {64, 3, 8, 8},
		"logit_scale":         {},
		"visual.transformer.resblocks.1.attn.in_proj_weight": {192, 64},
		"transformer.resblocks.2.attn.in_proj_bias":          {144},
	} {
		if !reflect.DeepEqual(got[name].Shape, shape) {
			t.Errorf("%s: shape %v, want %v", name, got[name].Shape, shape)
		}
	}
}
