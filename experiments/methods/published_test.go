package methods

import (
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/spotlight"
	"spotlighter/spotlight/release"
)

func releaseOptions() Options {
	o := Options{Spotlight: spotlight.Default()}
	o.Spotlight.Variant = spotlight.Release
	return o
}

func TestVariants(t *testing.T) {
	m, err := New("coop+spotlighter", releaseOptions())
	if _, ok := m.(published); err != nil || !ok {
		t.Errorf("variant release is %T, %v", m, err)
	}
	m, err = New("coop+spotlighter", Options{Spotlight: spotlight.Default()})
	if _, ok := m.(spotlighter); err != nil || !ok {
		t.Errorf("variant paper is %T, %v", m, err)
	}
	if _, err = New("clip+spotlighter", releaseOptions()); err == nil || !strings.Contains(err.Error(), "nothing to do without training") {
		t.Errorf("clip+spotlighter under variant release: %v", err)
	}
	if KeepsTokens("coop+spotlighter", releaseOptions().Spotlight) || !KeepsTokens("coop+spotlighter", spotlight.Default()) {
		t.Error("variant paper keeps tokens at test time, variant release does not")
	}
}

// Classes that training did not see get what is learned, and the bank only where
// it is saved.
func TestCarriesOver(t *testing.T) {
	learned := &graph.Variable{Name: "spotlight.memory.extractor.weight", Kind: graph.Trainable}
	bank := &graph.Variable{Name: "spotlight." + release.BankName, Kind: graph.State}
	step := &graph.Variable{Name: "spotlight.dropout.step", Kind: graph.State}
	cfg := releaseOptions().Spotlight
	for _, saved := range []bool{false, true} {
		cfg.Release.BankNotSaved = !saved
		if !CarriesOver(learned, cfg) || CarriesOver(bank, cfg) != saved || CarriesOver(step, cfg) {
			t.Errorf("bank saved %v: learned %v, bank %v, step %v", saved, CarriesOver(learned, cfg), CarriesOver(bank, cfg), CarriesOver(step, cfg))
		}
	}
	own := spotlight.Default()
	prototypes := &graph.Variable{Name: BankName, Kind: graph.State}
	for _, global := range []bool{false, true} {
		if own.Bank = "class"; global {
			own.Bank = "global"
		}
		if CarriesOver(prototypes, own) != global {
			t.Errorf("bank %s: carries over %v", own.Bank, !global)
		}
	}
	s := graph.New(graph.NewStore(nil), graph.Float32)
	release.New(s.Sub(plugScope), release.Default(), 16, 1, 1)
	if s.Store().Find(bank.Name) == nil {
		t.Errorf("the trainer declares no %s", bank.Name)
	}
}
