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
	m.Scale = math.Exp(float64(m.store.Find("logit_scale").Value.F32[0]))
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
	shape := func(name string, dims int) []int {
		if s, ok := f.Shape(name); ok && len(s) == dims {
			return s
		}
		return nil
	}
	conv, pos := shape("visual.conv1.weight", 4), shape("visual.positional_embedding", 2)
	proj, fc := shape("visual.proj", 2), shape("visual.transformer.resblocks.0.mlp.c_fc.weight", 2)
	table, tpos := shape("token_embedding.weight", 2), shape("positional_embedding", 2)
	tproj, tfc := shape("text_projection", 2), shape("transformer.resblocks.0.mlp.c_fc.weight", 2)
	for name, s := range map[string][]int{"visual.conv1.weight": conv, "visual.positional_embedding": pos, "visual.proj": proj,
		"token_embedding.weight": table, "positional_embedding": tpos, "text_projection": tproj,
		"visual.transformer.resblocks.0.mlp.c_fc.weight": fc, "transformer.resblocks.0.mlp.c_fc.weight": tfc} {
		if s == nil {
			return fmt.Errorf("not a CLIP with a vision transformer under OpenAI's names: no tensor %s of the right rank", name)
		}
	}
	grid := int(math.Round(math.Sqrt(float64(pos[0] - 1))))
	if grid*grid != pos[0]-1 {
		return fmt.Errorf("visual.positional_embedding has %d rows, want a square number of patches and one", pos[0])
	}
	m.Vision = vit.Config{ImageSize: grid * conv[3], PatchSize: conv[3], Width: conv[0], Hidden: fc[0], Embed: proj[1],
		Layers: blocks(f, "visual.transformer.resblocks."), Heads: conv[0] / 64}
	m.Text = textenc.Config{Vocabulary: table[0], Context: tpos[0], Width: table[1], Hidden: tfc[0], Embed: tproj[1],
		Layers: blocks(f, "transformer.resblocks."), Heads: table[1] / 64}
	if m.Vision.Embed != m.Text.Embed {
		return fmt.Errorf("visual.proj gives %d features and text_projection %d", m.Vision.Embed, m.Text.Embed)
	}
	meta := f.Metadata()
	for key, dst := range map[string]*int{"vision.heads": &m.Vision.Heads, "text.heads": &m.Text.Heads} {
		if v, ok := meta[key]; ok {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 {
				return fmt.Errorf("metadata %s is %q, want a number of heads", key, v)
			}
			*dst = n
		}
	}
	m.promptEnd = "."
	if v, ok := meta["prompt.end"]; ok {
		m.promptEnd = v
	}
	m.Transform = preprocess.CLIP(m.Vision.ImageSize)
	return nil
}

// blocks counts the residual blocks under a prefix.
func blocks(f *weights.File, prefix string) int {
	n := 0
	for _, name := range f.Names() {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			if i, err := strconv.Atoi(strings.SplitN(rest, ".", 2)[0]); err == nil {
				n = max(n, i+1)
			}
		}
	}
	return n
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
