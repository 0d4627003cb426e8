package release

import "fmt"

// Config sizes the published trainer and switches its defects. Start from
// Default, which is the trainer as published.
type Config struct {
	// OffByOne reads patch p of the selection at row p of the tokens, where CLS is
	// row 0: it takes the patch before, or CLS. Off, it takes the patch.
	OffByOne bool `yaml:"off_by_one"`
	// BankNotSaved evaluates classes that training did not see with the bank that
	// training started from, since a checkpoint does not hold it. Off, with the
	// trained one.
	BankNotSaved bool `yaml:"bank_not_saved"`
	// SumWrite adds the sum of a prototype's tokens in the bank's update, which
	// outweighs the momentum. Off, their weighted mean.
	SumWrite bool `yaml:"sum_write"`
	// UnlabelledBank lets every token write to the prototype nearest to it. Off, the
	// prototypes are dealt out to the training classes in turn, and a token writes
	// to those of its image's class (classes share where they outnumber the
	// prototypes). Reads see the whole bank either way.
	UnlabelledBank bool `yaml:"unlabelled_bank"`
	// SingleKeyAttention gives the image's attention one key, what it read from the
	// bank: its weight is 1, and queries and keys learn nothing. Off, the keys are
	// the prototypes.
	SingleKeyAttention bool `yaml:"single_key_attention"`
	// TrainMix and TestMix are the share of the attention's output beside the image
	// feature in the logits. As published they differ.
	TrainMix float64 `yaml:"train_mix"`
	TestMix  float64 `yaml:"test_mix"`

	// Prototypes is P, for all classes together.
	Prototypes int `yaml:"prototypes"`
	// Keep is K; Level1 of them, those attended most, are the first level.
	Keep   int `yaml:"keep"`
	Level1 int `yaml:"level1"`
	Heads  int `yaml:"heads"`
	// Dropout is the probability that a weight of the attention is dropped.
	Dropout float64 `yaml:"dropout"`
}

// Default is the trainer as published, with every defect.
func Default() Config {
	return Config{
		OffByOne: true, BankNotSaved: true, SumWrite: true, UnlabelledBank: true, SingleKeyAttention: true,
		TrainMix: .05, TestMix: .1,
		Prototypes: 25, Keep: 5, Level1: 2, Heads: 8, Dropout: .1,
	}
}

// Validate reports the first setting that cannot work, by its key below
// spotlight.release.
func (c Config) Validate() error {
	switch {
	case c.TrainMix < 0 || c.TrainMix > 1:
		return fmt.Errorf("spotlight.release.train_mix: %g, want 0 to 1", c.TrainMix)
	case c.TestMix < 0 || c.TestMix > 1:
		return fmt.Errorf("spotlight.release.test_mix: %g, want 0 to 1", c.TestMix)
	case c.Prototypes < 1:
		return fmt.Errorf("spotlight.release.prototypes: %d, want at least 1", c.Prototypes)
	case c.Keep < 2:
		return fmt.Errorf("spotlight.release.keep: %d, want at least 2, one for each level", c.Keep)
	case c.Level1 < 1 || c.Level1 >= c.Keep:
		return fmt.Errorf("spotlight.release.level1: %d, want 1 to keep - 1 (%d)", c.Level1, c.Keep-1)
	case c.Heads < 1:
		return fmt.Errorf("spotlight.release.heads: %d, want at least 1", c.Heads)
	case c.Dropout < 0 || c.Dropout >= 1:
		return fmt.Errorf("spotlight.release.dropout: %g, want 0 <= dropout < 1", c.Dropout)
	}
	return nil
}
