package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxConfig bounds the configuration files of hubs, which have a few kilobytes.
const maxConfig = 1 << 20

// config is what a configuration beside the weights says. Zeros are not said.
type config struct {
	path         string
	activation   string
	vision, text tower
	mean, std    []float32
}

// tower is a transformer's part of a config.
type tower struct {
	width, layers, heads, hidden int
	image, patch, vocabulary     int
	context                      int
}

// configure takes what the tensors cannot say from the configuration and wants
// it to agree on the rest.
func (c *Checkpoint) configure(cfg *config) error {
	switch cfg.activation {
	case "", QuickGELU:
	case GELU:
		c.Vision.ExactGELU, c.Text.ExactGELU = true, true
	default:
		return fmt.Errorf("%s%q is not an activation known here, wanted %s or %s", cfg.place(), cfg.activation, QuickGELU, GELU)
	}
	if cfg.vision.heads > 0 {
		c.Vision.Heads = cfg.vision.heads
	}
	if cfg.text.heads > 0 {
		c.Text.Heads = cfg.text.heads
	}
	for _, v := range []struct {
		what        string
		said, found int
	}{
		{"vision width", cfg.vision.width, c.Vision.Width}, {"vision layers", cfg.vision.layers, c.Vision.Layers},
		{"vision MLP width", cfg.vision.hidden, c.Vision.Hidden},
		{"patch size", cfg.vision.patch, c.Vision.PatchSize}, {"image size", cfg.vision.image, c.Vision.ImageSize},
		{"text width", cfg.text.width, c.Text.Width}, {"text layers", cfg.text.layers, c.Text.Layers},
		{"text MLP width", cfg.text.hidden, c.Text.Hidden},
		{"vocabulary", cfg.text.vocabulary, c.Text.Vocabulary}, {"context", cfg.text.context, c.Text.Context},
	} {
		if v.said != 0 && v.said != v.found {
			return fmt.Errorf("%s%s %d, the tensors have %d", cfg.place(), v.what, v.said, v.found)
		}
	}
	for _, t := range []struct {
		key          string
		width, heads int
	}{{metaVisionHeads, c.Vision.Width, c.Vision.Heads}, {metaTextHeads, c.Text.Width, c.Text.Heads}} {
		if t.heads == 0 {
			return fmt.Errorf("width %d is no multiple of 64, and no metadata %s say how many heads it has", t.width, t.key)
		}
	}
	for _, p := range []struct {
		said []float32
		dst  *[3]float32
	}{{cfg.mean, &c.Transform.Mean}, {cfg.std, &c.Transform.Std}} {
		if p.said != nil && copy(p.dst[:], p.said) != 3 {
			return fmt.Errorf("%sthe images' mean or deviation has %d values, want 3", cfg.place(), len(p.said))
		}
	}
	return nil
}

// place begins a message about the configuration.
func (cfg *config) place() string {
	if cfg.path == "" {
		return ""
	}
	return filepath.Base(cfg.path) + " says: "
}

// readJSON reads a configuration; ok is false if there is none.
func readJSON(path string, into any) (ok bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Size() > maxConfig {
		return false, fmt.Errorf("%s has %d bytes, at most %d are accepted", path, info.Size(), maxConfig)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
}
