// Package clip holds a CLIP as a whole: the frozen weights of both encoders, the
// temperature, and what turns text and pictures into their inputs.
package clip

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/prompts"
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
	frozen    *graph.Store // what graphs read: store, or a copy of it in dtype
	dtype     graph.Dtype
	watch     []graph.Watcher
	tokenizer *textenc.Tokenizer
	vocab     *Vocabulary
	promptEnd string // "." where the model was trained on sentences
	truncate  bool
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
	if m.frozen != nil {
		s = graph.New(graph.NewStore(m.frozen), m.dtype)
	}
	for _, w := range m.watch {
		s.Watch(w)
	}
	var e Encoders
	err := graph.Try(func() { e, _ = Declare(s, layers.Weights{Kind: graph.Frozen}, m.Vision, m.Text) })
	return s, e, err
}

// Open reads a CLIP checkpoint of any published kind, a file or a folder.
func Open(path string) (*Model, error) {
	c, err := Inspect(path, "")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Model()
}

// Load makes a model of a file in safetensors with OpenAI's names and activation.
// Sizes are inferred; the number of heads is width/64, as OpenAI's models have
// it, unless the file's metadata say otherwise.
func Load(name string, f *weights.File) (*Model, error) {
	c := &Checkpoint{Source: fromUs, File: f}
	err := c.infer()
	if err == nil {
		err = c.configure(&config{activation: f.Metadata()[metaActivation]})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c.Model()
}

// Model reads the weights. NaN and infinity are refused.
func (c *Checkpoint) Model() (*Model, error) {
	m, err := c.load()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File.Name(), err)
	}
	return m, nil
}

func (c *Checkpoint) load() (*Model, error) {
	vocab, err := readVocabulary(c.File, c.Text.Vocabulary)
	if err != nil {
		return nil, err
	}
	tokenizer, err := textenc.NewTokenizer()
	if err != nil {
		return nil, err
	}
	store, err := c.read()
	if err != nil {
		return nil, err
	}
	scale := store.Find("logit_scale").Value.F32[0]
	if math.Exp(float64(scale)) > 1e6 {
		return nil, fmt.Errorf("logit_scale is %g, the logarithm of a factor: trained models have at most 4.61", scale)
	}
	return &Model{
		Name: c.File.Name(), Vision: c.Vision, Text: c.Text, Transform: c.Transform, Hash: c.File.Hash(),
		Scale: math.Exp(float64(scale)),
		store: store, tokenizer: tokenizer, vocab: vocab, promptEnd: c.promptEnd,
	}, nil
}

// declare returns a store with the architecture's variables, without values.
func (c *Checkpoint) declare() (*graph.Store, error) {
	store := graph.NewStore(nil)
	s := graph.New(store, graph.Float32)
	err := graph.Try(func() { Declare(s, layers.Weights{Kind: graph.Frozen}, c.Vision, c.Text) })
	return store, err
}

// read fills the architecture's variables. Nothing is read of a file whose
// names or shapes do not fit.
func (c *Checkpoint) read() (*graph.Store, error) {
	store, err := c.declare()
	if err != nil {
		return nil, err
	}
	if err := c.fit(store).err(); err != nil {
		return nil, err
	}
	names := c.File.Names()
	tensors, errs := make([]graph.Tensor, len(names)), make([]error, len(names))
	cpu.NewPool(0).For(len(names), 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			tensors[i], errs[i] = c.tensor(names[i])
		}
	})
	values := make(map[string]graph.Tensor, len(names))
	for i, name := range names {
		if errs[i] != nil {
			return nil, errs[i]
		}
		values[name] = tensors[i]
	}
	return store, store.Load(values)
}

// Prompt puts a class name after a prefix, as this model was trained to read.
func (m *Model) Prompt(prefix, class string) string {
	return prefix + " " + strings.ReplaceAll(class, "_", " ") + m.promptEnd
}

// Prompts are the hand-written prompts of classes, their names after a prefix.
func (m *Model) Prompts(prefix string, classes []string) (textenc.Prompts, error) {
	words, err := m.Tokens(prefix)
	if err != nil {
		return textenc.Prompts{}, err
	}
	ids, names := make([][]int, len(classes)), make([]int, len(classes))
	for i, c := range classes {
		if ids[i], err = m.Tokens(m.Prompt(prefix, c)); err != nil {
			return textenc.Prompts{}, err
		}
		name, err := m.Tokens(strings.ReplaceAll(c, "_", " "))
		if err != nil {
			return textenc.Prompts{}, err
		}
		names[i] = min(len(name)-2, len(ids[i])-len(words)) // the name, less where it was cut
	}
	p, err := textenc.NewPrompts(ids, m.Text.Context)
	p.Words, p.Names = len(words)-2, names
	return p, err
}

// tensor reads one tensor, whose values must be finite.
func (c *Checkpoint) tensor(name string) (graph.Tensor, error) {
	t, err := c.File.Tensor(name)
	if err != nil {
		return graph.Tensor{}, err
	}
	for i, v := range t.Data {
		if v-v != 0 { // NaN or infinity
			return graph.Tensor{}, fmt.Errorf("tensor %s holds %v at element %d", name, v, i)
		}
	}
	return graph.Floats(t.Data, t.Shape...), nil
}

// Fill puts a class name into a template, in which {} stands for it, as this
// model was trained to read.
func (m *Model) Fill(template, class string) string {
	text := prompts.Fill(template, class)
	if rest, ok := strings.CutSuffix(text, "."); ok {
		return rest + m.promptEnd
	}
	return text
}

// Truncating is the model with texts that are too long cut to its context, in
// place of an error.
func (m *Model) Truncating() *Model {
	c := *m
	c.truncate = true
	return &c
}

// Pruned is the model with patches dropped inside the image encoder. The weights,
// and so the hash, are the same.
func (m *Model) Pruned(p vit.Prune) *Model {
	c := *m
	c.Vision.Prune = p
	return &c
}

// Double is the model computing in Float64, for checks: its graphs read copies of
// the weights.
func (m *Model) Double() *Model {
	c := *m
	c.frozen, c.dtype = graph.NewStore(nil), graph.Float64
	for _, v := range m.store.Variables() {
		if v.Value.Len() > 0 {
			c.frozen.Set(v.Name, v.Kind, v.Value.Convert(graph.Float64))
		}
	}
	return &c
}

// Watched is the model with watchers of all programs that are compiled over it.
func (m *Model) Watched(w ...graph.Watcher) *Model {
	c := *m
	c.watch = append(slices.Clone(m.watch), w...)
	return &c
}

// Tokens turns a text into rows of the embedding table, SOT and EOT included. A
// text may spell the marks out; features are read at the first EOT.
func (m *Model) Tokens(text string) ([]int, error) {
	ids := m.tokenizer.Encode(text)
	if end := slices.Index(ids, textenc.EOT); end >= 0 {
		ids = ids[:end]
	}
	if n := len(ids) + 2; n > m.Text.Context {
		if !m.truncate {
			return nil, fmt.Errorf("%s has %d tokens, the text encoder takes %d (clip.truncate=true or --truncate cuts it)", textenc.Quoted(text), n, m.Text.Context)
		}
		ids = ids[:m.Text.Context-2]
	}
	ids = append(append([]int{textenc.SOT}, ids...), textenc.EOT)
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

// On returns the same model, whose programs d runs; nil is the CPU.
func (m *Model) On(d graph.Device) *Model {
	if d == nil {
		return m
	}
	c := *m
	c.store = graph.NewStore(m.store)
	c.store.On(d)
	return &c
}

// Parameters counts the model's scalars.
func (m *Model) Parameters() int {
	n := 0
	for _, v := range m.store.Variables() {
		n += v.Value.Len()
	}
	return n
}
