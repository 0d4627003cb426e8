package bench

import (
	"strings"
	"testing"

	"spotlighter/graph/cpu"
	"spotlighter/textenc"
)

func TestMachine(t *testing.T) {
	m := Describe(cpu.NewPool(1))
	if m.Processor == "" || m.Cores < 1 || m.Threads != 1 {
		t.Errorf("%+v", m)
	}
	if loop, _ := fmaLoop(m.Path); (m.Limit > 1) != (loop != nil) {
		t.Errorf("limit of path %s is %g GFLOP/s", m.Path, m.Limit)
	}
	if w := Words(m); !strings.Contains(w, m.Processor) || !strings.Contains(w, m.Path) {
		t.Error(w)
	}
}

func TestStep(t *testing.T) {
	r, err := Step(t.Context(), On{Pool: cpu.NewPool(2)}, Task{Method: "coop", Classes: 3, Batch: 2, Text: textenc.Options{Trim: true}}, Effort{Repeat: 1})
	if err != nil {
		t.Fatal(err)
	}
	// Three prompts of 8 to 9 tokens, forward and the half of backward that frozen
	// weights need, 12 blocks of width 512.
	least := 2 * 2 * 3 * 8 * 12 * 12 * 512 * 512 / 1e9 * .8 // what follows the last attention is for EOT alone
	if r.Median <= 0 || len(r.All) != 1 || r.Values <= 0 || r.GFLOP < least || r.GFLOP > 2*least {
		t.Errorf("%+v, want at least %g GFLOP", r, least)
	}
	if w := Words(r); !strings.Contains(w, "coop, 3 classes, batch 2, training step (trim true, shared prefix false)") {
		t.Error(w)
	}
}

func TestOps(t *testing.T) {
	rs, err := Ops(t.Context(), On{Pool: cpu.NewPool(2)}, "add", Effort{Repeat: 1})
	if err != nil || len(rs) != 1 || rs[0].GBs <= 0 || rs[0].GFLOPs != 0 {
		t.Errorf("%+v, %v", rs, err)
	}
}

func TestRefusals(t *testing.T) {
	if _, err := Image(t.Context(), On{Pool: cpu.NewPool(1)}, "B/8", 1, Effort{}); err == nil || !strings.Contains(err.Error(), `"B/8": want one of B/16, B/32, L/14`) {
		t.Error(err)
	}
	if _, err := Step(t.Context(), On{Pool: cpu.NewPool(1)}, Task{Method: "coop", Classes: 1001, Batch: 1}, Effort{}); err == nil || !strings.Contains(err.Error(), "want 2 to 1000") {
		t.Error(err)
	}
}
