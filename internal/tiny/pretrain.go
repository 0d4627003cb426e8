package tiny

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"strings"

	"github.com/goccy/go-yaml"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/clip"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/textenc"
	"spotlighter/vit"
	"spotlighter/vit/preprocess"
)

// PretrainConfig is the recipe of the small CLIP.
type PretrainConfig struct {
	Seed        uint64  `yaml:"seed"`
	Steps       int     `yaml:"steps"`
	Batch       int     `yaml:"batch"`
	LR          float64 `yaml:"lr"`
	Warmup      int     `yaml:"warmup"` // steps
	Beta1       float64 `yaml:"beta1"`
	Beta2       float64 `yaml:"beta2"`
	Eps         float64 `yaml:"eps"`
	WeightDecay float64 `yaml:"weight_decay"` // of matrices; not of positions, norms, biases
	ClipNorm    float64 `yaml:"clip_norm"`    // of the joint gradient
	MaxScale    float64 `yaml:"max_scale"`    // of the temperature
	Vision      Tower   `yaml:"vision"`
	Text        Tower   `yaml:"text"`
	Embed       int     `yaml:"embed"`
}

// Tower sizes one encoder.
type Tower struct {
	Width   int `yaml:"width"`
	Layers  int `yaml:"layers"`
	Heads   int `yaml:"heads"`
	Context int `yaml:"context"` // of the text tower
}

//go:embed pretrain.yaml
var recipe []byte

// Recipe is the committed recipe, by which the embedded weights were made.
func Recipe() PretrainConfig {
	var c PretrainConfig
	if err := yaml.UnmarshalWithOptions(recipe, &c, yaml.Strict()); err != nil {
		panic(err) // embedded, and read by a test
	}
	return c
}

// Pretrainer trains a small CLIP from scratch on rendered pictures and captions,
// every weight of it, by the symmetric contrastive loss.
type Pretrainer struct {
	Config PretrainConfig
	Step   int // steps done

	pool     *cpu.Pool
	store    *graph.Store
	scope    *graph.Scope
	program  *graph.Program
	vocab    *clip.Vocabulary
	tok      *textenc.Tokenizer
	tf       preprocess.Transform
	images   graph.Tensor // [B, 3, S, S]
	ids, eot graph.Tensor // [B, T], [B, 1]
}

// NewPretrainer builds the training step, for a device or, where that is nil, the
// CPU, and for who watches it.
func NewPretrainer(c PretrainConfig, pool *cpu.Pool, d graph.Device, watch ...graph.Watcher) (*Pretrainer, error) {
	p := &Pretrainer{Config: c, pool: pool, store: graph.NewStore(nil), tf: preprocess.CLIP(Size)}
	p.store.On(d)
	var err error
	if p.tok, err = textenc.NewTokenizer(); err != nil {
		return nil, err
	}
	p.vocab = worldVocabulary(p.tok)
	p.images = graph.NewTensor(graph.Float32, c.Batch, 3, Size, Size)
	p.ids, p.eot = graph.NewTensor(graph.Int, c.Batch, c.Text.Context), graph.NewTensor(graph.Int, c.Batch, 1)
	p.scope = graph.New(p.store, graph.Float32)
	p.scope.Called("pretrain")
	for _, w := range watch {
		p.scope.Watch(w)
	}
	var updates []graph.Update
	var loss *layers.Node
	if berr := graph.Try(func() { loss, updates, err = p.build() }); berr != nil {
		return nil, berr
	}
	if err != nil {
		return nil, err
	}
	p.program, err = p.scope.Compile(pool, map[string]*layers.Node{"loss": loss}, updates...)
	return p, err
}

// worldVocabulary has a row for each id that the world's words need; row 0 pads.
func worldVocabulary(t *textenc.Tokenizer) *clip.Vocabulary {
	ids, seen := []int{0}, map[int]bool{0: true}
	add := func(id int) {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	for _, w := range Words() {
		for _, id := range t.Encode(w) {
			add(id)
		}
	}
	add(textenc.SOT)
	add(textenc.EOT)
	v := clip.NewVocabulary(ids)
	v.Words = Words()
	return v
}

func (p *Pretrainer) configs() (vit.Config, textenc.Config) {
	c := p.Config
	return vit.Config{ImageSize: Size, PatchSize: Patch, Width: c.Vision.Width, Layers: c.Vision.Layers, Heads: c.Vision.Heads, Embed: c.Embed},
		textenc.Config{Vocabulary: len(p.vocab.IDs), Context: c.Text.Context, Width: c.Text.Width, Layers: c.Text.Layers, Heads: c.Text.Heads, Embed: c.Embed}
}

func (p *Pretrainer) build() (*layers.Node, []graph.Update, error) {
	s, c := p.scope, p.Config
	v, t := p.configs()
	enc, logScale := clip.Declare(s, layers.Weights{Kind: graph.Trainable, Seed: c.Seed, Init: true}, v, t)
	images := s.Input("images", graph.Float32, p.images.Shape...)
	ids, eot := s.Input("ids", graph.Int, p.ids.Shape...), s.Input("eot", graph.Int, p.eot.Shape...)
	labels, lr := s.Input("labels", graph.Int, c.Batch), s.Input("lr", graph.Float32)

	i := layers.L2Normalize(enc.Vision.Forward(images).Feature, 0)
	x := layers.L2Normalize(enc.Text.Forward(enc.Text.Embed(ids), eot).Feature, 0)
	logits := layers.Mul(layers.MatMul(i, x, false, true), layers.Exp(logScale)) // [B, B]
	loss := layers.Scale(layers.Add(
		layers.CrossEntropy(logits, labels),
		layers.CrossEntropy(layers.Transpose(logits, 1, 0), labels)), .5)

	vars := s.Trainables()
	grads, err := s.Grad(loss, vars)
	if err != nil {
		return nil, nil, err
	}
	grads = optim.ClipNorm(grads, c.ClipNorm)
	var groups [2]struct { // with and without weight decay
		vars  []*graph.Variable
		grads []*layers.Node
	}
	for k, v := range vars {
		g := &groups[0]
		if len(v.Type.Shape) < 2 || strings.Contains(v.Name, "positional_embedding") {
			g = &groups[1]
		}
		g.vars, g.grads = append(g.vars, v), append(g.grads, grads[k])
	}
	adam := optim.AdamW{Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps, WeightDecay: c.WeightDecay}
	updates := adam.Updates(s.Sub("optim"), lr, groups[0].vars, groups[0].grads)
	adam.WeightDecay = 0
	updates = append(updates, adam.Updates(s.Sub("optim"), lr, groups[1].vars, groups[1].grads)...)
	for k, u := range updates { // the temperature stays within bounds
		if u.Var.Name == "logit_scale" {
			updates[k].Value = layers.Clamp(u.Value, 0, math.Log(c.MaxScale))
		}
	}
	return loss, updates, nil
}

// Train runs one step and returns its loss.
func (p *Pretrainer) Train(ctx context.Context) (float64, error) {
	if err := p.render(); err != nil {
		return 0, err
	}
	labels := make([]int, p.Config.Batch)
	for i := range labels {
		labels[i] = i
	}
	lr := optim.LinearCosine{LR: p.Config.LR, Steps: p.Config.Steps, Warmup: p.Config.Warmup}.At(p.Step)
	err := p.program.Run(ctx, map[string]graph.Tensor{
		"images": p.images, "ids": p.ids, "eot": p.eot, "labels": graph.Ints(labels, len(labels)), "lr": graph.Floats([]float32{float32(lr)}),
	})
	if err != nil {
		return 0, err
	}
	loss := float64(p.program.Output("loss").F32[0])
	if math.IsNaN(loss) {
		return loss, fmt.Errorf("step %d: the loss is not a number", p.Step)
	}
	p.Step++
	return loss, nil
}

// render fills the batch of the current step: example i of the stream belongs
// to step i/batch, whatever the number of threads.
func (p *Pretrainer) render() error {
	c := p.Config
	errs := make([]error, c.Batch)
	clear(p.ids.Int)
	p.pool.For(c.Batch, 1, func(lo, hi int) {
		for b := lo; b < hi; b++ {
			img, caption := PretrainExample(c.Seed, uint64(p.Step*c.Batch+b))
			copy(p.images.Row(b), p.tf.Apply(&preprocess.RGB{W: Size, H: Size, Pix: img.RGB}))
			errs[b] = p.caption(b, caption)
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Pretrainer) caption(b int, text string) error {
	rows, err := p.tokens(text)
	if err != nil {
		return err
	}
	copy(p.ids.Int[b*p.Config.Text.Context:], rows)
	p.eot.Int[b] = len(rows) - 1
	return nil
}

func (p *Pretrainer) tokens(text string) ([]int, error) {
	ids := append(append([]int{textenc.SOT}, p.tok.Encode(text)...), textenc.EOT)
	if len(ids) > p.Config.Text.Context {
		return nil, fmt.Errorf("caption %q has %d tokens, the text encoder takes %d", text, len(ids), p.Config.Text.Context)
	}
	return p.vocab.Rows(ids, text, p.tok)
}
