package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"spotlighter/graph/cpu"
	"spotlighter/graph/cuda"
)

// The doctor says what there is, and of what there is not how to get it.
func TestDoctor(t *testing.T) {
	path, _ := cpu.Path()
	words := run(t, "doctor")
	if words.code != 0 || !strings.Contains(words.out, "kernels    "+path) {
		t.Errorf("%+v", words)
	}
	found := cuda.Find()
	if found.Err != nil && !strings.Contains(words.out, found.Err.Error()+"\n           -> ") {
		t.Errorf("it does not say %q and what to do:\n%s", found.Err, words.out)
	}
	var h health
	if err := json.Unmarshal([]byte(run(t, "doctor", "--json").out), &h); err != nil {
		t.Fatal(err)
	}
	if h.Path != path || h.Processor == "" || h.CUDA.Built != found.Built || len(h.CUDA.Cards) != len(found.Cards) {
		t.Errorf("%+v", h)
	}
}

// Without a card cuda is refused in one line, and auto takes the CPU and says so
// once.
func TestNoCard(t *testing.T) {
	lack := cuda.Find().Err
	if lack == nil {
		t.Skip("this machine has a card")
	}
	refused := run(t, "run", config, "--device", "cuda:1", "out="+t.TempDir())
	if refused.code != 1 || refused.stderr != "spotlighter: device cuda:1: "+lack.Error()+"\n" {
		t.Errorf("%+v", refused)
	}
	auto := run(t, "run", config, "device=auto", "out="+t.TempDir())
	if auto.code != 0 || strings.Count(auto.stderr, "device auto takes the CPU: "+lack.Error()) != 1 {
		t.Errorf("%+v", auto)
	}
}
