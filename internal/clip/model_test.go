package clip

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
	"spotlighter/internal/weights"
	"spotlighter/layers"
	"spotlighter/textenc"
	"spotlighter/vit"
	"spotlighter/vit/preprocess"
)

// file is what a checkpoint is made of.
type file struct {
	tensors map[string]weights.Tensor
	meta    map[string]string
}

// small is a CLIP of four patches and a vocabulary of the ids of a few words,
// with the weights that its initialisation draws.
func small(t *testing.T) file {
	t.Helper()
	tok, err := textenc.NewTokenizer()
	if err != nil {
		t.Fatal(err)
	}
	ids := append([]int{0, textenc.SOT, textenc.EOT}, tok.Encode("a photo of a red cup")...)
	slices.Sort(ids)
	v := NewVocabulary(slices.Compact(ids))
	store := graph.NewStore(nil)
	s := graph.New(store, graph.Float32)
	Declare(s, layers.Weights{Kind: graph.Trainable, Seed: 1, Init: true},
		vit.Config{ImageSize: 8, PatchSize: 4, Width: 8, Layers: 2, Heads: 2, Embed: 4},
		textenc.Config{Vocabulary: len(v.IDs), Context: 9, Width: 12, Layers: 1, Heads: 3, Embed: 4})
	v.Words = []string{"a", "cup", "of", "photo", "red"}
	f := file{map[string]weights.Tensor{}, v.Metadata()}
	f.meta["vision.heads"], f.meta["text.heads"], f.meta["prompt.end"] = "2", "3", ""
	for _, v := range store.Variables() {
		f.tensors[v.Name] = weights.Tensor{Shape: v.Value.Shape, Data: v.Value.F32}
	}
	return f
}

// open saves the file and loads it as a model.
func (f file) open(t *testing.T) (*Model, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.safetensors")
	if err := weights.Save(path, f.tensors, f.meta, "F32"); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path)
	return m, path, err
}

func (f file) model(t *testing.T) *Model {
	t.Helper()
	m, _, err := f.open(t)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func zeros(shape ...int) weights.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return weights.Tensor{Shape: shape, Data: make([]float32, n)}
}

func TestOpen(t *testing.T) {
	f := small(t)
	m := f.model(t)
	if want := (vit.Config{ImageSize: 8, PatchSize: 4, Width: 8, Layers: 2, Heads: 2, Hidden: 32, Embed: 4}); m.Vision != want {
		t.Errorf("image encoder %+v, want %+v", m.Vision, want)
	}
	if want := (textenc.Config{Vocabulary: 8, Context: 9, Width: 12, Layers: 1, Heads: 3, Hidden: 48, Embed: 4}); m.Text != want {
		t.Errorf("text encoder %+v, want %+v", m.Text, want)
	}
	if math.Abs(m.Scale-1/.07) > 1e-4 {
		t.Errorf("scale %v", m.Scale)
	}
	n := 0
	for _, x := range f.tensors {
		n += len(x.Data)
	}
	if m.Parameters() != n {
		t.Errorf("%d parameters, want %d", m.Parameters(), n)
	}
	if got := m.Prompt("a photo of a", "red_cup"); got != "a photo of a red cup" {
		t.Errorf("prompt %q", got)
	}
	delete(f.meta, "prompt.end")
	again := f.model(t)
	if got := again.Prompt("a photo of a", "red_cup"); got != "a photo of a red cup." {
		t.Errorf("prompt %q", got)
	}
	if m.Hash == again.Hash || len(m.Hash) != 64 {
		t.Errorf("hashes %s and %s", m.Hash, again.Hash)
	}
}

// Every file that is not a whole CLIP is refused in one line, which names the
// file and what is wrong.
func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f file)
		want   []string
	}{
		"missing": {func(f file) { delete(f.tensors, "visual.transformer.resblocks.1.ln_2.bias") },
			[]string{"missing: visual.transformer.resblocks.1.ln_2.bias"}},
		"missing block": {func(f file) {
			for n := range f.tensors {
				if strings.HasPrefix(n, "visual.transformer.resblocks.0.ln_1") {
					delete(f.tensors, n)
				}
			}
		}, []string{"missing: visual.transformer.resblocks.0.ln_1.bias, visual.transformer.resblocks.0.ln_1.weight"}},
		"unknown": {func(f file) { f.tensors["visual.extra"] = zeros(2) }, []string{"unknown: visual.extra"}},
		"far block": {func(f file) { f.tensors["visual.transformer.resblocks.1000000000.ln_1.weight"] = zeros(8) },
			[]string{"unknown: visual.transformer.resblocks.1000000000.ln_1.weight"}},
		"misshapen": {func(f file) { f.tensors["visual.class_embedding"] = zeros(9) },
			[]string{"misshapen: visual.class_embedding is (9), want (8)"}},
		"three at once": {func(f file) {
			delete(f.tensors, "ln_final.bias")
			f.tensors["a"], f.tensors["visual.ln_pre.bias"] = zeros(1), zeros(8, 1)
		}, []string{"unknown: a;", "missing: ln_final.bias;", "misshapen: visual.ln_pre.bias"}},
		"rank":            {func(f file) { f.tensors["visual.proj"] = zeros(32) }, []string{"tensor visual.proj has shape [32], want 2 axes"}},
		"patches":         {func(f file) { f.tensors["visual.positional_embedding"] = zeros(4, 8) }, []string{"visual.positional_embedding has 4 rows", "square"}},
		"no patches":      {func(f file) { f.tensors["visual.positional_embedding"] = zeros(1, 8) }, []string{"sizes do not fit"}},
		"nothing":         {func(f file) { f.tensors["visual.positional_embedding"] = zeros(0, 8) }, []string{"visual.positional_embedding has 0 rows"}},
		"joint width":     {func(f file) { f.tensors["text_projection"] = zeros(12, 5) }, []string{"visual.proj gives 4 features and text_projection 5"}},
		"NaN":             {func(f file) { f.tensors["visual.ln_post.weight"].Data[3] = float32(math.NaN()) }, []string{"tensor visual.ln_post.weight holds NaN at element 3"}},
		"infinity":        {func(f file) { f.tensors["text_projection"].Data[47] = float32(math.Inf(-1)) }, []string{"tensor text_projection holds -Inf at element 47"}},
		"scale":           {func(f file) { f.tensors["logit_scale"].Data[0] = 100 }, []string{"logit_scale is 100"}},
		"no heads":        {func(f file) { delete(f.meta, "vision.heads") }, []string{"width 8 is no multiple of 64", "vision.heads"}},
		"heads":           {func(f file) { f.meta["text.heads"] = "many" }, []string{`metadata text.heads is "many", want a number of heads`}},
		"zero heads":      {func(f file) { f.meta["text.heads"] = "0" }, []string{`metadata text.heads is "0"`}},
		"heads that cut":  {func(f file) { f.meta["vision.heads"] = "3" }, []string{"image encoder: sizes do not fit"}},
		"ids":             {func(f file) { f.meta["token_ids"] = "[1,2" }, []string{"metadata token_ids: "}},
		"few ids":         {func(f file) { f.meta["token_ids"] = "[1,2]" }, []string{"metadata token_ids lists 2 ids for 8 rows"}},
		"id twice":        {func(f file) { f.meta["token_ids"] = "[0,5,2,3,5,6,49406,49407]" }, []string{"id 5 in rows 1 and 4"}},
		"strange id":      {func(f file) { f.meta["token_ids"] = "[0,1,2,3,4,49408,49406,49407]" }, []string{"id 49408 in row 5"}},
		"no end":          {func(f file) { f.meta["token_ids"] = "[0,1,2,3,4,5,6,49406]" }, []string{"lack id 49407"}},
		"no ids":          {func(f file) { delete(f.meta, "token_ids") }, []string{"token_embedding.weight has 8 rows", "token_ids"}},
		"no image side":   {func(f file) { delete(f.tensors, "visual.conv1.weight") }, []string{"not a CLIP with a vision transformer", "no tensor visual.conv1.weight"}},
		"another network": {func(f file) { clear(f.tensors); f.tensors["fc.weight"] = zeros(2, 2) }, []string{"not a CLIP", "visual.conv1.weight", "text_projection"}},
		"ResNet": {func(f file) {
			for n := range f.tensors {
				if strings.HasPrefix(n, "visual.") {
					delete(f.tensors, n)
				}
			}
			f.tensors["visual.conv1.weight"], f.tensors["visual.layer1.0.conv1.weight"] = zeros(4, 3, 3, 3), zeros(4, 4, 1, 1)
			f.tensors["visual.attnpool.positional_embedding"] = zeros(5, 4)
		}, []string{"a ResNet", "a vision transformer is wanted"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := small(t)
			c.change(f)
			_, path, err := f.open(t)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range append(c.want, path) {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q is of more than one line", err)
			}
			if _, _, again := f.open(t); strings.ReplaceAll(again.Error(), "/002/", "/001/") != err.Error() {
				t.Errorf("error is %q, then %q", err, again)
			}
		})
	}
}

func TestHuggingFaceRefused(t *testing.T) {
	f := fixture.Open(t, "fixtures/hf_clip_tiny/model.safetensors")
	_, err := Load("hf.safetensors", f.File)
	if err == nil || !strings.HasPrefix(err.Error(), "hf.safetensors: a CLIP under Hugging Face's names, OpenAI's are wanted: no tensor visual.conv1.weight") {
		t.Errorf("error is %v", err)
	}
}

// A CLIPModel of the transformers library under OpenAI's names has its
// embeddings and its logits; see fixtures/hf_clip_tiny of the shared data.
func TestHuggingFace(t *testing.T) {
	hf, io := fixture.Open(t, "fixtures/hf_clip_tiny/model.safetensors"), fixture.Open(t, "fixtures/hf_clip_tiny/io.safetensors")
	tensors, err := weights.HFToOpenAI(hf.File)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int, 1000) // its last two are the marks
	for i := range ids {
		ids[i] = i
	}
	ids[998], ids[999] = textenc.SOT, textenc.EOT
	meta := NewVocabulary(ids).Metadata()
	meta["vision.heads"], meta["text.heads"] = "4", "4"
	m := file{tensors, meta}.model(t)
	images, rows := io.Tensor("pixel_values"), io.Ints("input_ids")
	s, e, err := m.Scope()
	if err != nil {
		t.Fatal(err)
	}
	eot := graph.NewTensor(graph.Int, 4, 1)
	for i := range 4 {
		eot.Int[i] = slices.Index(rows.Int[i*77:], 999)
	}
	image := layers.L2Normalize(e.Vision.Forward(s.Const(images)).Feature, 0)
	text := layers.L2Normalize(e.Text.Forward(e.Text.Embed(s.Const(rows)), s.Const(eot)).Feature, 0)
	p, err := s.Compile(cpu.NewPool(2), map[string]*graph.Node{
		"image_embeds": image, "text_embeds": text,
		"logits_per_image": layers.Scale(layers.MatMul(image, text, false, true), m.Scale),
		"logits_per_text":  layers.Scale(layers.MatMul(text, image, false, true), m.Scale),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"image_embeds", "text_embeds", "logits_per_image", "logits_per_text"} {
		io.Near(n, p.Output(n), 1e-4)
	}
}

// ZeroShot agrees with a graph of one picture and one text at a time, whatever
// the batch and the other texts' lengths.
func TestZeroShot(t *testing.T) {
	m := small(t).model(t)
	z := NewZeroShot(m, cpu.NewPool(2))
	texts := []string{"a", "a photo of a red cup", "red cup"}
	together, err := z.Text(context.Background(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		alone, err := z.Text(context.Background(), []string{text})
		if err != nil {
			t.Fatal(err)
		}
		fixture.Near(t, text, graph.Floats(together.Row(i), 1, 4), alone, 1e-5)
		if got := Nearest(alone.F32, together); got != i {
			t.Errorf("%q is nearest to text %d, want %d", text, got, i)
		}
	}
	pictures := make([]*preprocess.RGB, 67) // more than a batch
	for i := range pictures {
		pictures[i] = picture(i)
	}
	features, err := z.Images(context.Background(), pictures)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 63, 64, 66} {
		alone, err := z.Images(context.Background(), pictures[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		fixture.Near(t, "picture", graph.Floats(features.Row(i), 1, 4), alone, 1e-5)
		if n := cpu.Dot(alone.F32, alone.F32); math.Abs(float64(n)-1) > 1e-5 {
			t.Errorf("feature %d has square length %v", i, n)
		}
	}
	if slices.Equal(features.Row(0), features.Row(66)) {
		t.Error("two pictures have one feature")
	}
}

// picture is a small image of its own colours.
func picture(seed int) *preprocess.RGB {
	m := preprocess.NewRGB(10, 9)
	for i := range m.Pix {
		m.Pix[i] = uint8((i*i + 37*seed*(i%7+1)) % 256)
	}
	return m
}
