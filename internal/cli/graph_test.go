package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/graph/draw"
)

func TestGraphCommand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "g.json")
	o := mustRun(t, "graph", "../../experiments/debug.yaml", "method=coop+spotlighter", "-o", file)
	if want := file + ": debug.yaml method=coop+spotlighter, coop+spotlighter\n"; o.out != want {
		t.Errorf("%+v, want %q", o, want)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var g draw.Graph
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range g.Items {
		names = append(names, p.Name)
	}
	if strings.Join(names, " ") != "encode step classify" || len(g.Edges) < 500 {
		t.Errorf("programs %v, %d edges", names, len(g.Edges))
	}
	// 21 scalars beside a context of 4 tokens of width 128.
	if n := g.Items[1].Items[0].Trainable; n != 4*128+21 {
		t.Errorf("%d trainable scalars in the step, want %d", n, 4*128+21)
	}
	o = mustRun(t, "graph", "../../experiments/debug.yaml", "method=coop", "--diff", "../../experiments/debug.yaml", "-o", filepath.Join(dir, "same.html"))
	if !strings.Contains(o.out, "0 ops and values added, 0 removed, 0 changed") {
		t.Errorf("%+v", o)
	}
	o = mustRun(t, "graph", "../../experiments/debug.yaml", "method=coop+spotlighter", "--diff", "spotlight.irm=false", "--program", "step", "-o", filepath.Join(dir, "irm.svg"))
	if strings.Contains(o.out, " 0 removed") || !strings.Contains(o.out, "0 ops and values added") {
		t.Errorf("without the image mapping module: %+v", o)
	}
	for _, x := range []struct {
		code int
		says string
		args []string
	}{
		{2, "want -o FILE", nil},
		{2, `format "png"`, []string{"-o", "x.png"}},
		{2, "--depth: found -1", []string{"-o", "x.svg", "--depth", "-1"}},
		{1, `has no program "train", it has encode, classify`, []string{"method=clip", "--program", "train", "-o", filepath.Join(dir, "x.svg")}},
	} {
		o := run(t, append([]string{"graph", "../../experiments/debug.yaml"}, x.args...)...)
		if o.code != x.code || !strings.Contains(lastLine(o), x.says) {
			t.Errorf("%v: %+v", x.args, o)
		}
	}
}

// Every method has a picture.
func TestGraphOfEveryMethod(t *testing.T) {
	for _, method := range []string{"clip", "cocoop", "maple", "promptkd", "tip-adapter-f"} {
		file := filepath.Join(t.TempDir(), "g.svg")
		mustRun(t, "graph", "../../experiments/debug.yaml", "method="+method, "maple.depth=2", "--depth", "0", "-o", file)
		if i, err := os.Stat(file); err != nil || i.Size() < 2000 {
			t.Errorf("%s: %v", method, err)
		}
	}
}
