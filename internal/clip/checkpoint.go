package clip

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"spotlighter/internal/weights"
	"spotlighter/textenc"
	"spotlighter/vit"
	"spotlighter/vit/preprocess"
)

// Checkpoint is an open file of weights whose architecture is known.
type Checkpoint struct {
	Source    string        // whose names it has: OpenAI, Hugging Face, open_clip, Spotlighter
	File      *weights.File // under OpenAI's names
	Vision    vit.Config
	Text      textenc.Config
	Transform preprocess.Transform
	promptEnd string
}

// The sources of checkpoints.
const (
	fromOpenAI      = "OpenAI"
	fromHuggingFace = "Hugging Face CLIPModel"
	fromOpenCLIP    = "open_clip"
	fromUs          = "Spotlighter"
)

// openAIMark is an attribute that the archives published by OpenAI have, and
// those that open_clip's programs trace do not.
const openAIMark = "input_resolution"

// Activations by the names that configurations give them.
const (
	QuickGELU = "quick_gelu"
	GELU      = "gelu"
)

// Metadata keys of our own files.
const (
	metaVisionHeads = "vision.heads"
	metaTextHeads   = "text.heads"
	metaActivation  = "activation"
	metaPromptEnd   = "prompt.end"
	metaMean        = "image.mean"
	metaStd         = "image.std"
)

// Inspect opens a CLIP checkpoint of any kind, a file or a folder, and finds
// out its architecture: sizes from the tensors, the rest from the configuration
// beside it or the file's metadata. What is not a CLIP that can be computed
// exactly is refused by name. A plain state dict does not say which activation
// its model was trained with; activation, if not empty, says it.
func Inspect(path, activation string) (*Checkpoint, error) {
	path, err := weights.Locate(path)
	if err != nil {
		return nil, err
	}
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	c, err := inspect(f, filepath.Dir(path), activation)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Close releases the file.
func (c *Checkpoint) Close() error { return c.File.Close() }

// inspect tells the sources apart. The configuration is looked for in folder.
func inspect(f *weights.File, folder, activation string) (*Checkpoint, error) {
	names := f.Names()
	if err := refuse(names); err != nil {
		return nil, err
	}
	c := &Checkpoint{File: f}
	var cfg *config
	var err error
	meta := f.Metadata()
	switch {
	case isHuggingFace(names):
		c.Source = fromHuggingFace
		if cfg, err = readHuggingFace(folder); err != nil {
			return nil, err
		}
		if c.File, err = f.OpenAI(); err != nil {
			return nil, err
		}
	case f.Format() == weights.TorchScript && slices.Contains(names, openAIMark): // always their activation
		c.Source, cfg = fromOpenAI, &config{activation: QuickGELU}
	case isOurs(meta):
		c.Source, cfg = fromUs, &config{activation: meta[metaActivation]}
	default:
		c.Source = fromOpenCLIP
		if cfg, err = readOpenCLIP(folder); err != nil {
			return nil, err
		}
	}
	c.File = c.File.Without(unused)
	if err := c.infer(); err != nil {
		return nil, err
	}
	if cfg == nil && activation == "" {
		return nil, fmt.Errorf("nothing says whether it was trained with %s (OpenAI) or %s (most of open_clip): put its open_clip_config.json into the same folder, or give --activation to spotlighter weights convert", QuickGELU, GELU)
	}
	if cfg == nil {
		cfg = &config{}
	}
	if activation != "" {
		cfg.activation = activation
	}
	return c, c.configure(cfg)
}

// isOurs says whether this program wrote the file.
func isOurs(meta map[string]string) bool {
	for _, key := range []string{metaVisionHeads, metaTextHeads, metaActivation, metaPromptEnd} {
		if _, ok := meta[key]; ok {
			return true
		}
	}
	return false
}

// unused are tensors of published files that no computation reads: three
// attributes of OpenAI's archives and the causal mask.
func unused(name string) bool {
	return name == openAIMark || name == "context_length" || name == "vocab_size" ||
		name == "attn_mask" || strings.HasSuffix(name, ".attn_mask")
}

// infer reads the architecture off the shapes.
func (c *Checkpoint) infer() error {
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
		s, ok := c.File.Shape(want.name)
		if !ok {
			missing = append(missing, want.name)
		} else if len(s) != want.axes {
			return fmt.Errorf("tensor %s has shape %v, want %d axes", want.name, s, want.axes)
		}
		*want.dst = s
	}
	if len(missing) > 0 {
		what := "not a CLIP with a vision transformer"
		if isHuggingFace(c.File.Names()) {
			what = "a CLIP under Hugging Face's names, OpenAI's are wanted"
		}
		return fmt.Errorf("%s: no tensor %s", what, strings.Join(missing, ", "))
	}
	grid := int(math.Round(math.Sqrt(float64(max(pos[0]-1, 0)))))
	if grid*grid != pos[0]-1 {
		return fmt.Errorf("visual.positional_embedding has %d rows, want a square number of patches and one", pos[0])
	}
	if conv[1] != 3 || conv[2] != conv[3] {
		return fmt.Errorf("visual.conv1.weight is %v, want square patches of 3 colours", conv)
	}
	if proj[1] != tproj[1] {
		return fmt.Errorf("visual.proj gives %d features and text_projection %d", proj[1], tproj[1])
	}
	c.Vision = vit.Config{ImageSize: grid * conv[3], PatchSize: conv[3], Width: conv[0], Hidden: fc[0], Embed: proj[1],
		Layers: blocks(c.File, "visual.transformer.resblocks."), Heads: heads(conv[0])}
	c.Text = textenc.Config{Vocabulary: table[0], Context: tpos[0], Width: table[1], Hidden: tfc[0], Embed: tproj[1],
		Layers: blocks(c.File, "transformer.resblocks."), Heads: heads(table[1])}
	c.Transform = preprocess.CLIP(c.Vision.ImageSize)
	c.promptEnd = "."
	return c.fromMetadata()
}

// fromMetadata takes what our own files say besides.
func (c *Checkpoint) fromMetadata() error {
	meta := c.File.Metadata()
	for key, dst := range map[string]*int{metaVisionHeads: &c.Vision.Heads, metaTextHeads: &c.Text.Heads} {
		if v, ok := meta[key]; ok {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 {
				return fmt.Errorf("metadata %s is %q, want a number of heads", key, v)
			}
			*dst = n
		}
	}
	if v, ok := meta[metaPromptEnd]; ok {
		c.promptEnd = v
	}
	for key, dst := range map[string]*[3]float32{metaMean: &c.Transform.Mean, metaStd: &c.Transform.Std} {
		if v, ok := meta[key]; ok {
			if _, err := fmt.Sscanf(v, "%g,%g,%g", &dst[0], &dst[1], &dst[2]); err != nil {
				return fmt.Errorf("metadata %s is %q, want three numbers", key, v)
			}
		}
	}
	return nil
}

// heads is what OpenAI's models have, or 0 if it does not divide.
func heads(width int) int {
	if width%64 != 0 {
		return 0
	}
	return width / 64
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

// Metadata is what a safetensors file needs besides the tensors to be opened as
// this checkpoint.
func (c *Checkpoint) Metadata() map[string]string {
	act := QuickGELU
	if c.Vision.ExactGELU {
		act = GELU
	}
	meta := map[string]string{}
	if c.Source == fromUs { // its vocabulary, and how it was trained
		maps.Copy(meta, c.File.Metadata())
	}
	meta[metaVisionHeads], meta[metaTextHeads] = strconv.Itoa(c.Vision.Heads), strconv.Itoa(c.Text.Heads)
	meta[metaActivation], meta[metaPromptEnd] = act, c.promptEnd
	if t := preprocess.CLIP(c.Transform.Size); c.Transform != t {
		meta[metaMean] = fmt.Sprintf("%g,%g,%g", c.Transform.Mean[0], c.Transform.Mean[1], c.Transform.Mean[2])
		meta[metaStd] = fmt.Sprintf("%g,%g,%g", c.Transform.Std[0], c.Transform.Std[1], c.Transform.Std[2])
	}
	return meta
}
