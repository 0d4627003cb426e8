package tiny

import (
	"context"
	_ "embed" // of the weights
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"

	"spotlighter/graph"
	"spotlighter/internal/clip"
	"spotlighter/internal/weights"
	"spotlighter/vit/preprocess"
)

// Save writes the weights as half-precision floats, with all that is needed to
// read them as a CLIP.
func (p *Pretrainer) Save(path string) error {
	if err := p.store.Sync(); err != nil {
		return err
	}
	values := map[string]weights.Tensor{}
	for _, v := range p.scope.Trainables() {
		values[v.Name] = weights.Tensor{Shape: v.Value.Shape, Data: v.Value.F32}
	}
	meta := p.vocab.Metadata()
	meta["prompt.end"] = ""
	meta["vision.heads"], meta["text.heads"] = strconv.Itoa(p.Config.Vision.Heads), strconv.Itoa(p.Config.Text.Heads)
	return weights.Save(path, values, meta, "F16")
}

// Checkpoint writes everything that Resume needs.
func (p *Pretrainer) Checkpoint(path string) error {
	if err := p.store.Sync(); err != nil {
		return err
	}
	values := map[string]weights.Tensor{}
	for _, v := range p.store.Variables() {
		values[v.Name] = weights.Tensor{Shape: v.Value.Shape, Data: v.Value.F32}
	}
	return weights.Save(path, values, map[string]string{"step": strconv.Itoa(p.Step), "config": fmt.Sprint(p.Config)}, "F32")
}

// Resume continues from a checkpoint of the same recipe, if there is one.
func (p *Pretrainer) Resume(path string) error {
	f, err := weights.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if got := f.Metadata()["config"]; got != fmt.Sprint(p.Config) {
		return fmt.Errorf("%s: checkpoint of another recipe: %s, this is %v", path, got, p.Config)
	}
	values := map[string]graph.Tensor{}
	for _, n := range f.Names() {
		t, err := f.Tensor(n)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		values[n] = graph.Floats(t.Data, t.Shape...)
	}
	if err := p.store.Load(values); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if p.Step, err = strconv.Atoi(f.Metadata()["step"]); err != nil {
		return fmt.Errorf("%s: step %q is no number", path, f.Metadata()["step"])
	}
	return nil
}

// HeldAccuracy is the top-1 accuracy, in percent, over the compositions that
// pretraining never shows, each among all of them, from n pictures.
func HeldAccuracy(ctx context.Context, m *clip.Model, z *clip.ZeroShot, n int) (float64, error) {
	names := make([]string, len(Held()))
	for i, t := range Held() {
		names[i] = m.Prompt("a photo of a", t.String())
	}
	text, err := z.Text(ctx, names)
	if err != nil {
		return 0, err
	}
	right := 0
	images := make([]*preprocess.RGB, n)
	labels := make([]int, n)
	for i := range images {
		var img Image
		img, labels[i] = RenderHeld(99, i)
		images[i] = &preprocess.RGB{W: Size, H: Size, Pix: img.RGB}
	}
	features, err := z.Images(ctx, images)
	if err != nil {
		return 0, err
	}
	for i := range images {
		if clip.Nearest(features.Row(i), text) == labels[i] {
			right++
		}
	}
	return 100 * float64(right) / float64(n), nil
}

//go:embed clip.safetensors
var embedded []byte

// CLIP is the embedded small CLIP.
var CLIP = sync.OnceValues(func() (*clip.Model, error) {
	f, err := weights.Parse("the embedded CLIP", embedded)
	if err != nil {
		return nil, err
	}
	return clip.Load("the embedded CLIP", f)
})
