package optest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"spotlighter/graph"
)

// faulty doubles its operand, with one mistake.
type faulty struct{ Fault string }

func (faulty) Name() string                              { return "double" }
func (faulty) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o faulty) Grad(_ []*graph.Node, _, dout *graph.Node) []*graph.Node {
	g := graph.Apply(faulty{}, dout)
	if o.Fault == "gradient" {
		g = graph.Apply(faulty{}, g)
	}
	return []*graph.Node{g}
}
func (o faulty) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	for i, v := range floats(in[0]) {
		y := 2 * v
		switch {
		case o.Fault == "threads" && i == 3:
			y += 1e-3 * float64(c.Threads())
		case o.Fault == "memory" && i == 3:
			y += 1e-3 * floats(out)[i]
		case o.Fault == "float32" && in[0].Dtype == graph.Float32:
			y *= 1.001
		}
		set(out, i, y)
	}
	return nil
}

// Check fails for each kind of mistake, and says which.
func TestCheckFindsFaults(t *testing.T) {
	const child = "SPOTLIGHTER_TEST_FAULT"
	fault, inside := os.LookupEnv(child)
	if inside {
		c := Case{Name: "case", Inputs: []Input{Normal(2, 3)}, Build: func(_ *graph.Scope, in []*graph.Node) *graph.Node {
			return graph.Apply(faulty{fault}, in[0])
		}, SkipCUDA: "the op is of this test alone"}
		if fault == "want" {
			c.Want = []float64{1, 2, 3, 4, 5, 6}
		}
		Check(t, c)
		return
	}
	for fault, words := range map[string]string{
		"": "", "gradient": "finite differences", "threads": "2 threads: result differs at 3", "memory": "second run: result differs at 3",
		"float32": "Float32: result", "want": "want [1 2 3 4 5 6]",
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCheckFindsFaults$")
		cmd.Env = append(os.Environ(), child+"="+fault)
		out, err := cmd.CombinedOutput()
		if (err == nil) != (fault == "") || !strings.Contains(string(out), words) {
			t.Errorf("fault %q: %v\n%s", fault, err, out)
		}
	}
}

// Input draws depend on the case's name alone.
func TestValuesAreFixed(t *testing.T) {
	c := Case{Name: "a", Inputs: []Input{Normal(3), Positive(2), Indices(5, 4), Ints([]int{7}, 1), Floats([]float64{.5}, 1)}}
	a, b := c.values(), c.values()
	c.Name = "b"
	other := c.values()
	for i := range a {
		if far(floats(a[i]), floats(b[i]), 0) >= 0 {
			t.Errorf("input %d differs from call to call", i)
		}
	}
	if far(floats(a[0]), floats(other[0]), 0) < 0 {
		t.Error("another name has the same draws")
	}
	for i, v := range floats(a[1]) {
		if v < .5 || v >= 2 {
			t.Errorf("positive %d is %g", i, v)
		}
	}
	for i, v := range a[2].Int {
		if v < 0 || v >= 5 {
			t.Errorf("index %d is %d", i, v)
		}
	}
}
