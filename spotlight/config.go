package spotlight

import (
	"fmt"
	"slices"
	"strings"

	"spotlighter/spotlight/release"
)

// Config chooses, stage by stage, what the method does. The zero value is not
// usable: start from Default. Every key is an ablation.
type Config struct {
	// Variant is Paper, the method of all keys below but Release, or Release, the
	// published trainer, which reads that key alone.
	Variant string `yaml:"variant"`

	// Tokens are the patch tokens that are scored, kept and written to the
	// bank: "contribution" (what each patch adds to the CLS feature in Blocks),
	// "value" (the last block's values, no residual) or "plain" (patch tokens
	// after ln_post and projection: the literal reading of the paper).
	Tokens string `yaml:"tokens"`
	// Blocks counts from 1 and names the blocks whose contributions are summed.
	// Empty: the third and fourth fifth of the depth.
	Blocks []int `yaml:"blocks"`

	// SampleWise and SemanticWise switch the two activations on (s1, s2).
	SampleWise   bool `yaml:"sample_wise"`
	SemanticWise bool `yaml:"semantic_wise"`
	// Activation is "blend" (the two together), or a registered one that scores the
	// tokens in its place, with or without them.
	Activation string `yaml:"activation" json:",omitempty"`
	// Contrast subtracts the activation's mean over the classes.
	Contrast bool `yaml:"contrast"`
	// Smooth is the sigma, in patches, of the Gaussian over the patch grid; 0 is off.
	Smooth float64 `yaml:"smooth"`

	// Select is what the tokens are ranked by: "score", "cls-attention" (of
	// Blocks), "random" or "all" (every token, one level).
	Select string `yaml:"select"`
	// Window is the odd side of the window around the score's peak; 0 takes the
	// best tokens anywhere, -1 is a third of the grid's side, made odd.
	Window int `yaml:"window"`
	// Keep is K, the number of tokens kept; Level1 is K1, how many of them are
	// in the first level. Level1 = Keep has one level.
	Keep   int `yaml:"keep"`
	Level1 int `yaml:"level1"`
	// Levels are the sizes of any number of levels, which sum to Keep, in Level1's
	// place; empty: Level1 and the rest.
	Levels []int `yaml:"levels" json:",omitempty"`
	// Weighting is "softmax" (of the scores, in each level), or a registered one.
	Weighting string `yaml:"weighting" json:",omitempty"`

	// Bank is "class" (Prototypes for each class), "global" (Prototypes that all
	// classes share, written by the tokens of every image), "frozen" (never written)
	// or "off": no prototypes, and nothing of what is made of them, s2, IRM and TRM.
	Bank       string  `yaml:"bank"`
	Prototypes int     `yaml:"prototypes"`
	Momentum   float64 `yaml:"momentum"`
	// ReadingMomentum is the momentum of the bank's sixth row, the class's mean
	// re-read feature.
	ReadingMomentum float64 `yaml:"reading_momentum"`

	// Read turns the kept tokens into a feature: "reread" (the CLS row runs
	// again, biased towards them, through the last RereadBlocks blocks), "pool"
	// (their contributions count double in g, the others' not at all) or
	// "tokens" (the kept tokens themselves are classified).
	Read string `yaml:"read"`
	// Strength is the bias that a kept token of even weight starts with in the
	// re-read, on the attention's logits.
	Strength float64 `yaml:"strength"`
	// RereadBlocks is R; 0 is four fifths of the depth, at most 4.
	RereadBlocks int `yaml:"reread_blocks"`

	// IRM and TRM switch the mapping modules: IRM on or off; TRM is "scalars"
	// (a and b), "linear" (the figure's 2D -> D matrix) or "off".
	IRM   bool   `yaml:"irm"`
	TRM   string `yaml:"trm"`
	Heads int    `yaml:"heads"`

	// Beta is the share of the reading in the prediction that training starts from,
	// TextStep that of the class's reading in its text (a).
	Beta     float64 `yaml:"beta"`
	TextStep float64 `yaml:"text_step"`

	// Candidates above 1 is the class-wise mode: so many of the likeliest classes
	// each have their own activation and reading. It wants read: reread, select:
	// score and no local_loss; 1 is one reading an image, by the belief in all
	// classes.
	Candidates int `yaml:"candidates"`

	// TrainCandidates is how many candidates read in a training step; 0 is
	// Candidates.
	TrainCandidates int `yaml:"train_candidates" json:",omitempty"`

	// Evidence adds the kept tokens' own contributions, so many times, to what was
	// read: how much of a class the image shows there, beside how it reads. They are
	// those of EvidenceBlocks, numbered as Blocks; empty: the third fifth of the
	// depth, where a patch's values are still mostly its own.
	Evidence       float64 `yaml:"evidence"`
	EvidenceBlocks []int   `yaml:"evidence_blocks"`
	// Centre takes so much of the mean of what was read in training from what is
	// read: what all images of a task share speaks for no class.
	Centre float64 `yaml:"centre"`

	// LocalLoss adds the cross-entropies of a re-read with each level alone.
	LocalLoss bool `yaml:"local_loss"`
	// Balance divides the loss of the prediction beside that of the plain logits.
	Balance float64 `yaml:"balance"`

	// Release sizes the published trainer and switches its defects.
	Release release.Config `yaml:"release"`
}

// The variants of the method.
const (
	Paper   = "paper"
	Release = "release"
)

// Default is what won on the tuning tasks of the embedded world, at 21 scalars
// beside the prompt: each of the five likeliest classes reads for itself.
func Default() Config {
	return Config{
		Variant: Paper,
		Tokens:  "contribution", SampleWise: true, SemanticWise: true, Activation: Blend, Smooth: 1,
		Select: "score", Window: -1, Keep: 5, Level1: 3, Weighting: Softmax,
		Bank: "class", Prototypes: 5, Momentum: .8, ReadingMomentum: .95,
		Read: "reread", Strength: 2, Beta: .6, TextStep: .6, IRM: true, TRM: "scalars", Heads: 8, Candidates: 5, Evidence: 1, Centre: .6, Balance: 5,
		Release: release.Default(),
	}
}

// FeatureKey is equal for configurations that read the same features of the
// frozen encoder.
func (c Config) FeatureKey() string {
	key := fmt.Sprint(c.Variant, c.Tokens, c.Blocks, c.Read, c.RereadBlocks)
	if c.Evidence > 0 {
		key += fmt.Sprint(" evidence ", c.EvidenceBlocks)
	}
	return key
}

// Hashed is the config as a run's hash reads it: without the names of stages that
// no program has replaced.
func (c Config) Hashed() Config {
	if c.Activation == Blend {
		c.Activation = ""
	}
	if c.Weighting == Softmax {
		c.Weighting = ""
	}
	return c
}

// levels are the ranges of the kept tokens that are ranked together.
func (c Config) levels() []Level {
	sizes := c.Levels
	switch {
	case len(sizes) > 0:
	case c.Level1 >= c.Keep:
		sizes = []int{c.Keep}
	default:
		sizes = []int{c.Level1, c.Keep - c.Level1}
	}
	levels, at := make([]Level, len(sizes)), 0
	for i, n := range sizes {
		levels[i] = Level{at, at + n}
		at += n
	}
	return levels
}

// LevelOf is the level, counted from 1, of the kept token of a rank, counted from 0.
func (c Config) LevelOf(rank int) int {
	if c.Select == "all" {
		return 1
	}
	levels := c.levels()
	return 1 + slices.IndexFunc(levels, func(l Level) bool { return rank < l.Hi })
}

func sum(xs []int) (total int) {
	for _, x := range xs {
		total += x
	}
	return total
}

// Validate reports the first setting that cannot work, by its key.
func (c Config) Validate() error {
	for _, e := range []struct {
		key, got string
		want     []string
	}{
		{"variant", c.Variant, []string{Paper, Release}},
		{"tokens", c.Tokens, []string{"contribution", "value", "plain"}},
		{"activation", c.Activation, namesOf(activations, Blend)},
		{"weighting", c.Weighting, namesOf(weightings, Softmax)},
		{"select", c.Select, []string{"score", "cls-attention", "random", "all"}},
		{"bank", c.Bank, []string{"class", "global", "frozen", "off"}},
		{"read", c.Read, []string{"reread", "pool", "tokens"}},
		{"trm", c.TRM, []string{"scalars", "linear", "off"}},
	} {
		if !slices.Contains(e.want, e.got) {
			return fmt.Errorf("spotlight.%s: %q is none of %s", e.key, e.got, strings.Join(e.want, ", "))
		}
	}
	for key, blocks := range map[string][]int{"blocks": c.Blocks, "evidence_blocks": c.EvidenceBlocks} {
		for i, l := range blocks {
			if l < 1 || slices.Contains(blocks[:i], l) {
				return fmt.Errorf("spotlight.%s: %v, want different numbers from 1", key, blocks)
			}
		}
	}
	switch {
	case !c.SampleWise && !c.SemanticWise && c.Activation == Blend:
		return fmt.Errorf("spotlight.sample_wise and spotlight.semantic_wise are both off: no score is left to rank the tokens by")
	case c.Bank == "off" && !c.SampleWise && c.Activation == Blend:
		return fmt.Errorf("spotlight.bank: off leaves no score to rank the tokens by where spotlight.sample_wise is off")
	case c.Keep < 1:
		return fmt.Errorf("spotlight.keep: %d, want at least 1", c.Keep)
	case c.Level1 < 1 || c.Level1 > c.Keep:
		return fmt.Errorf("spotlight.level1: %d, want 1 to keep (%d)", c.Level1, c.Keep)
	case len(c.Levels) > c.Keep:
		return fmt.Errorf("spotlight.levels: %d levels, more than the %d tokens that are kept (spotlight.keep)", len(c.Levels), c.Keep)
	case len(c.Levels) > 0 && (slices.Min(c.Levels) < 1 || sum(c.Levels) != c.Keep):
		return fmt.Errorf("spotlight.levels: %v, want sizes of at least 1 that sum to keep (%d)", c.Levels, c.Keep)
	case c.Window != -1 && c.Window != 0 && (c.Window < 1 || c.Window%2 == 0):
		return fmt.Errorf("spotlight.window: %d, want an odd side, 0 (anywhere) or -1 (by the grid)", c.Window)
	case c.Window > 0 && c.Keep > c.Window*c.Window:
		return fmt.Errorf("spotlight.keep: %d tokens do not fit a window of %dx%d", c.Keep, c.Window, c.Window)
	case c.Prototypes < 1:
		return fmt.Errorf("spotlight.prototypes: %d, want at least 1", c.Prototypes)
	case c.Momentum < 0 || c.Momentum >= 1:
		return fmt.Errorf("spotlight.momentum: %g, want 0 <= momentum < 1", c.Momentum)
	case c.ReadingMomentum < 0 || c.ReadingMomentum >= 1:
		return fmt.Errorf("spotlight.reading_momentum: %g, want 0 <= reading_momentum < 1", c.ReadingMomentum)
	case c.Heads < 1:
		return fmt.Errorf("spotlight.heads: %d, want at least 1", c.Heads)
	case c.Strength < 0:
		return fmt.Errorf("spotlight.strength: %g, want 0 or above", c.Strength)
	case c.Beta <= 0 || c.Beta >= 1:
		return fmt.Errorf("spotlight.beta: %g, want above 0 and below 1", c.Beta)
	case c.Candidates < 1:
		return fmt.Errorf("spotlight.candidates: %d, want at least 1", c.Candidates)
	case c.Candidates > 1 && (c.Read != "reread" || c.Select != "score" || c.LocalLoss):
		return fmt.Errorf("spotlight.candidates: %d, which needs read: reread, select: score and local_loss: false; set it to 1 for others", c.Candidates)
	case c.Evidence < 0:
		return fmt.Errorf("spotlight.evidence: %g, want 0 (off) or above", c.Evidence)
	case c.Centre < 0 || c.Centre > 1:
		return fmt.Errorf("spotlight.centre: %g, want 0 (off) to 1", c.Centre)
	case c.TrainCandidates < 0 || c.TrainCandidates > c.Candidates:
		return fmt.Errorf("spotlight.train_candidates: %d, want 0 (as candidates) to candidates (%d)", c.TrainCandidates, c.Candidates)
	case c.Balance <= 0:
		return fmt.Errorf("spotlight.balance: %g, want above 0", c.Balance)
	case c.Smooth < 0:
		return fmt.Errorf("spotlight.smooth: %g, want 0 (off) or above", c.Smooth)
	case c.RereadBlocks < 0:
		return fmt.Errorf("spotlight.reread_blocks: %d, want 0 (by the depth) or above", c.RereadBlocks)
	case c.Tokens != "contribution" && c.Read == "pool":
		return fmt.Errorf("spotlight.read: pool needs tokens that sum to the feature, tokens: %s does not", c.Tokens)
	case c.Select == "all" && c.Read == "pool":
		return fmt.Errorf("spotlight.select: all keeps every token, read: pool would change nothing")
	}
	return c.Release.Validate()
}
