package clip

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
	"spotlighter/internal/weights"
	"spotlighter/layers"
)

// TestFormats opens one small checkpoint of each published kind, all of one
// random model, and compares with what the transformers library computes
// (experiments/parity/small.py).
func TestFormats(t *testing.T) {
	for path, want := range map[string]struct {
		source   string
		format   weights.Format
		expected string
	}{
		"torchscript/model.pt":       {fromOpenAI, weights.TorchScript, QuickGELU},
		"hf":                         {fromHuggingFace, weights.Safetensors, QuickGELU},
		"hf/model.safetensors":       {fromHuggingFace, weights.Safetensors, QuickGELU},
		"hf-gelu":                    {fromHuggingFace, weights.Safetensors, GELU},
		"hf-sharded":                 {fromHuggingFace, weights.Safetensors, QuickGELU},
		"open_clip-safetensors":      {fromOpenCLIP, weights.Safetensors, QuickGELU},
		"open_clip-safetensors-gelu": {fromOpenCLIP, weights.Safetensors, GELU},
		"open_clip-bin":              {fromOpenCLIP, weights.PyTorchZip, QuickGELU},
		"wrapped/epoch_3.pt":         {fromOpenCLIP, weights.PyTorchZip, QuickGELU},
		"legacy/old.pt":              {fromOpenCLIP, weights.PyTorchLegacy, QuickGELU},
	} {
		t.Run(path, func(t *testing.T) {
			c, err := Inspect(filepath.Join("testdata", path), "")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Source != want.source || c.File.Format() != want.format {
				t.Errorf("%s, %s, want %s, %s", c.Source, c.File.Format(), want.source, want.format)
			}
			expected, err := weights.Open(filepath.Join("testdata", want.expected+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer expected.Close()
			compare(t, c, expected)
			if _, err := c.Model(); err == nil || !strings.Contains(err.Error(), "token_embedding.weight has 96 rows") {
				t.Errorf("a model of 96 words: %v", err)
			}
		})
	}
}

func compare(t *testing.T, c *Checkpoint, expected *weights.File) {
	t.Helper()
	floats := func(name string) graph.Tensor {
		x, err := expected.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		return graph.Floats(x.Data, x.Shape...)
	}
	ints := func(name string) graph.Tensor {
		x, err := expected.Ints(name)
		if err != nil {
			t.Fatal(err)
		}
		shape, _ := expected.Shape(name)
		out := graph.NewTensor(graph.Int, shape...)
		for i, v := range x {
			out.Int[i] = int(v)
		}
		return out
	}
	store, err := c.read()
	if err != nil {
		t.Fatal(err)
	}
	s := graph.New(graph.NewStore(store), graph.Float32)
	nodes := map[string]*graph.Node{}
	if err := graph.Try(func() {
		e, _ := Declare(s, layers.Weights{Kind: graph.Frozen}, c.Vision, c.Text)
		nodes["image"] = layers.L2Normalize(e.Vision.Forward(s.Const(floats("pixels"))).Feature, 0)
		nodes["text"] = layers.L2Normalize(e.Text.Forward(e.Text.Embed(s.Const(ints("ids"))), s.Const(ints("eot"))).Feature, 0)
	}); err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile(cpu.NewPool(2), nodes)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	for name := range nodes {
		fixture.Near(t, name, p.Output(name), floats(name), 1e-5)
	}
}

// copyOf copies a folder of the test data.
func copyOf(t *testing.T, folder string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", folder))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestConfigRefused wants one line for every configuration that would have the
// model run wrong.
func TestConfigRefused(t *testing.T) {
	for name, c := range map[string]struct{ folder, file, old, new, want string }{
		"no config":         {"hf", "config.json", "", "", "needs its config.json"},
		"bad config":        {"hf", "config.json", "{", "[", "config.json: "},
		"another model":     {"hf", "config.json", `"model_type": "clip",`, `"model_type": "siglip",`, `model_type "siglip"`},
		"activation":        {"hf", "config.json", `"quick_gelu"`, `"gelu_new"`, `"gelu_new" is not an activation`},
		"two activations":   {"hf", "config.json", `"model_type": "clip_text_model"`, `"hidden_act": "gelu"`, "one for both"},
		"epsilon":           {"hf", "config.json", "1e-05", "1e-06", "layer_norm_eps 1e-06"},
		"layers":            {"hf", "config.json", `"num_hidden_layers": 2`, `"num_hidden_layers": 3`, "vision layers 3, the tensors have 2"},
		"no activation":     {"open_clip-bin", "open_clip_config.json", "", "", "nothing says whether"},
		"unknown setting":   {"open_clip-bin", "open_clip_config.json", `"layers": 2`, `"layers": 2, "ls_init_value": 0.1`, "ls_init_value: 0.1, which is not supported"},
		"another tokenizer": {"open_clip-bin", "open_clip_config.json", `"heads": 1`, `"heads": 1, "hf_tokenizer_name": "x"`, "hf_tokenizer_name"},
		"oblong":            {"open_clip-bin", "open_clip_config.json", `"image_size": 8`, `"image_size": [8, 4]`, "not square"},
		"interpolation":     {"open_clip-bin", "open_clip_config.json", `"mean"`, `"interpolation": "bilinear", "mean"`, "bilinear"},
		"mean":              {"open_clip-bin", "open_clip_config.json", "0.48145466,", "", "2 values"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, c.folder)
			path := filepath.Join(dir, c.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if c.old == "" {
				os.Remove(path)
			} else {
				changed := strings.ReplaceAll(string(text), c.old, c.new)
				if changed == string(text) {
					t.Fatalf("%q is not in %s", c.old, c.file)
				}
				if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err = Inspect(dir, "")
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %v, want one line with the path and %q", err, c.want)
			}
		})
	}
}

// TestActivation takes a user's word where the file says nothing.
func TestActivation(t *testing.T) {
	dir := copyOf(t, "legacy")
	os.Remove(filepath.Join(dir, "open_clip_config.json"))
	for act, exact := range map[string]bool{QuickGELU: false, GELU: true} {
		c, err := Inspect(filepath.Join(dir, "old.pt"), act)
		if err != nil {
			t.Fatal(err)
		}
		if c.Vision.ExactGELU != exact || c.Text.ExactGELU != exact {
			t.Errorf("%s: %+v", act, c.Vision)
		}
		c.Close()
	}
	if _, err := Inspect(filepath.Join(dir, "old.pt"), "relu"); err == nil || !strings.Contains(err.Error(), `"relu"`) {
		t.Errorf("relu: %v", err)
	}
}

// TestStrangers wants every model that is taken for a CLIP refused by name.
func TestStrangers(t *testing.T) {
	for name, want := range map[string]string{
		"visual.attnpool.q_proj.weight":           "a ResNet",
		"vision_model.head.probe":                 "a SigLIP",
		"visual.trunk.blocks.0.norm1.weight":      "timm",
		"text_decoder.ln_final.weight":            "a CoCa",
		"visual.blocks.0.attn.q_proj.weight":      "an EVA-CLIP",
		"text.transformer.resblocks.0.ln_1.x":     "custom_text",
		"text_model.encoder.layer.0.attention":    "a BERT text encoder",
		"vision_model.embeddings.class_embedding": "an image encoder alone",
	} {
		err := refuse([]string{name})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if err := refuse([]string{"text_model.final_layer_norm.bias"}); err == nil || !strings.Contains(err.Error(), "a text model alone") {
		t.Errorf("text alone: %v", err)
	}
}

// TestEnsemble compares with the mean worked out text by text.
func TestEnsemble(t *testing.T) {
	m := small(t).model(t)
	z := NewZeroShot(m, cpu.NewPool(2))
	templates, classes := []string{"a photo of a {}.", "a {}"}, make([]string, 20)
	for i := range classes {
		classes[i] = []string{"red_cup", "cup", "photo"}[i%3]
	}
	got, err := z.Ensemble(context.Background(), templates, classes)
	if err != nil {
		t.Fatal(err)
	}
	for c, class := range classes[:3] {
		rows, err := z.Text(context.Background(), []string{"a photo of a " + strings.ReplaceAll(class, "_", " "), "a " + strings.ReplaceAll(class, "_", " ")})
		if err != nil {
			t.Fatal(err)
		}
		want := rows.Row(0)
		cpu.Add(want, want, rows.Row(1))
		Unit(want)
		for _, same := range []int{c, c + 3, c + 15} { // in another batch too
			fixture.Near(t, class, graph.Floats(got.Row(same), 1, 4), graph.Floats(want, 1, 4), 1e-5)
		}
	}
	if _, err := z.Ensemble(context.Background(), templates, []string{"cup", "a a a a a a a a a a"}); err == nil || !strings.Contains(err.Error(), `class "a a`) {
		t.Errorf("a class that is too long: %v", err)
	}
	if _, err := z.Ensemble(context.Background(), nil, classes); err == nil {
		t.Error("no templates gave features")
	}
	if got, err := m.Truncating().Tokens(strings.Repeat("cup ", 50)); err != nil || len(got) != m.Text.Context {
		t.Errorf("truncated: %v, %v", got, err)
	}
}
