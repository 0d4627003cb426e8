// Package clip holds a CLIP as a whole: the frozen weights of both encoders, the
// temperature, and what turns text and pictures into their inputs.
package clip

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	"spotlighter/graph"
	"spotlighter/internal/weights"
	"spotlighter/layers"
	"spotlighter/textenc"
	"spotlighter/vit"
	"spotlighter/vit/preprocess"
)

// Model is a frozen CLIP. It is safe for concurrent use.
type Model struct {
	Name      string // the file's name in messages
	Vision    vit.Config
	Text      textenc.Config
	Transform preprocess.Transform
	Scale     float64 // tau, the exponential of logit_scale
	Hash      string  // of the weights: what features of this model are known by

	store     *graph.Store
	tokenizer *textenc.Tokenizer
	vocab     *Vocabulary
	promptEnd string // "." where the model was trained on sentences
}

// Encoders are a model's two towers in one graph.
type Encoders struct {
	Vision *vit.Encoder
	Text   *textenc.Encoder
}

// Declare declares the variables of both encoders, and logit_scale, under s.
func Declare(s *graph.Scope, w layers.Weights, v vit.Config, t textenc.Config) (e Encoders, logitScale *layers.Node) {
	e.Vision, e.Text = vit.New(s.Sub("visual"), w, v), textenc.New(s, w, t)
	return e, s.Var("logit_scale", w.Kind, w.Start(math.Log(1/.07)))
}

// Scope returns the root scope of a new graph over the frozen weights, whose
// other variables live in own.
func (m *Model) Scope() (*graph.Scope, Encoders, error) {
	s := graph.New(graph.NewStore(m.store), graph.Float32)
	var e Encoders
	err := graph.Try(func() { e, _ = Declare(s, layers.Weights{Kind: graph.Frozen}, m.Vision, m.Text) })
	return s, e, err
}

// Open reads a checkpoint in safetensors with OpenAI's names.
func Open(path string) (*Model, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Load(path, f)
}

// Load makes a model of a checkpoint's tensors. Sizes are inferred from them;
// the number of heads is width/64, as OpenAI's models have it, unless the file's
// metadata say otherwise.
func Load(name string, f *weights.File) (*Model, error) {
	m := &Model{Name: name, Hash: f.Hash()}
	fail := func(err error) (*Model, error) { return nil, fmt.Errorf("%s: %w", name, err) }
	if err := m.infer(f); err != nil {
		return fail(err)
	}
	values := map[string]graph.Tensor{}
	for _, n := range f.Names() {
		t, err := f.Tensor(n)
		if err != nil {
			return fail(err)
		}
		for i, v := range t.Data {
			if v != v || math.IsInf(float64(v), 0) {
				return fail(fmt.Errorf("tensor %s holds %v at element %d", n, v, i))
			}
		}
		values[n] = graph.Floats(t.Data, t.Shape...)
	}
	m.store = graph.NewStore(nil)
	s := graph.New(m.store, graph.Float32)
	if err := graph.Try(func() { Declare(s, layers.Weights{Kind: graph.Frozen}, m.Vision, m.Text) }); err != nil {
		return fail(err)
	}
	if err := m.store.Load(values); err != nil {
		return fail(err)
	}
	scale := m.store.Find("logit_scale").Value.F32[0]
	if m.Scale = math.Exp(float64(scale)); m.Scale > 1e6 {
		return fail(fmt.Errorf("logit_scale is %g, the logarithm of a factor: trained models have at most 4.61", scale))
	}
	var err error
	if m.tokenizer, err = textenc.NewTokenizer(); err != nil {
		return fail(err)
	}
	if m.vocab, err = readVocabulary(f, m.Text.Vocabulary); err != nil {
		return fail(err)
	}
	return m, nil
}

// infer reads the architecture off the shapes.
func (m *Model) infer(f *weights.File) error {
	var conv, pos, proj, fc, table, tpos, tproj, tfc []int
	var missing []string
	for _, want := range []struct {
		name string
		axes int
		dst  *[]int
	}{
		{"visual.conv1.weight", 4, &conv}, {"visual.positional_embedding", 2, &pos}, {"visual.proj", 2, &proj},
		{"visual.transformer.resblocks.0.mlp.c_fc.weight", 2, &fc},
		{"token_embedding.weight", 2, &table}, {"positional_embedding", 2, &tpos}, {"text_projection", 2, &tproj},
		{"transformer.resblocks.0.mlp.c_fc.weight", 2, &tfc},
	} {
		s, ok := f.Shape(want.name)
		if !ok {
			missing = append(missing, want.name)
		} else if len(s) != want.axes {
			return fmt.Errorf("tensor %s has shape %v, want %d axes", want.name, s, want.axes)
		}
		*want.dst = s
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: no tensor %s", kind(f), strings.Join(missing, ", "))
	}
	grid := int(math.Round(math.Sqrt(float64(pos[0] - 1))))
	if grid*grid != pos[0]-1 {
		return fmt.Errorf("visual.positional_embedding has %d rows, want a square number of patches and one", pos[0])
	}
	m.Vision = vit.Config{ImageSize: grid * conv[3], PatchSize: conv[3], Width: conv[0], Hidden: fc[0], Embed: proj[1],
		Layers: blocks(f, "visual.transformer.resblocks.")}
	m.Text = textenc.Config{Vocabulary: table[0], Context: tpos[0], Width: table[1], Hidden: tfc[0], Embed: tproj[1],
		Layers: blocks(f, "transformer.resblocks.")}
	if m.Vision.Embed != m.Text.Embed {
		return fmt.Errorf("visual.proj gives %d features and text_projection %d", m.Vision.Embed, m.Text.Embed)
	}
	meta := f.Metadata()
	var err error
	if m.Vision.Heads, err = heads(meta, "vision.heads", m.Vision.Width); err != nil {
		return err
	}
	if m.Text.Heads, err = heads(meta, "text.heads", m.Text.Width); err != nil {
		return err
	}
	m.promptEnd = "."
	if v, ok := meta["prompt.end"]; ok {
		m.promptEnd = v
	}
	m.Transform = preprocess.CLIP(m.Vision.ImageSize)
	return nil
}

// kind says what a file without the wanted tensors looks like.
func kind(f *weights.File) string {
	for _, name := range f.Names() {
		switch {
		case strings.HasPrefix(name, "vision_model.") || strings.HasPrefix(name, "text_model."):
			return "a CLIP under Hugging Face's names, OpenAI's are wanted"
		case strings.HasPrefix(name, "visual.layer1."):
			return "a CLIP whose image encoder is a ResNet, a vision transformer is wanted"
		}
	}
	return "not a CLIP with a vision transformer under OpenAI's names"
}

// heads is what the metadata say, or width/64.
func heads(meta map[string]string, key string, width int) (int, error) {
	v, ok := meta[key]
	if !ok {
		if width < 64 || width%64 != 0 {
			return 0, fmt.Errorf("width %d is no multiple of 64, and no metadata %s say how many heads it has", width, key)
		}
		return width / 64, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("metadata %s is %q, want a number of heads", key, v)
	}
	return n, nil
}

// blocks counts the residual blocks under a prefix. One that is left out is
// found missing later.
func blocks(f *weights.File, prefix string) int {
	found := map[string]bool{}
	for _, name := range f.Names() {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			n, _, _ := strings.Cut(rest, ".")
			found[n] = true
		}
	}
	return len(found)
}

// Prompt puts a class name after a prefix, as this model was trained to read.
func (m *Model) Prompt(prefix, class string) string {
	return prefix + " " + strings.ReplaceAll(class, "_", " ") + m.promptEnd
}

// Tokens turns a text into rows of the embedding table, SOT and EOT included.
func (m *Model) Tokens(text string) ([]int, error) {
	ids := append([]int{textenc.SOT}, m.tokenizer.Encode(text)...)
	ids = append(ids, textenc.EOT)
	if len(ids) > m.Text.Context {
		return nil, fmt.Errorf("%q has %d tokens, the text encoder takes %d", text, len(ids), m.Text.Context)
	}
	return m.vocab.Rows(ids, text, m.tokenizer)
}

// Embedding returns the rows of the token embedding: [len(rows), W].
func (m *Model) Embedding(rows []int) graph.Tensor {
	table, w := m.store.Find("token_embedding.weight").Value, m.Text.Width
	t := graph.NewTensor(graph.Float32, len(rows), w)
	for i, r := range rows {
		copy(t.F32[i*w:], table.F32[r*w:(r+1)*w])
	}
	return t
}

// Parameters counts the model's scalars.
func (m *Model) Parameters() int {
	n := 0
	for _, v := range m.store.Variables() {
		n += v.Value.Len()
	}
	return n
}

// words lists distinct unknown words of texts, for a message.
func words(set map[string]bool) string {
	var ws []string
	for w := range set {
		ws = append(ws, w)
	}
	sort.Strings(ws)
	return strings.Join(ws, ", ")
}
