//go:build cuda_backend

package cuda_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/cuda"
	"spotlighter/graph/cuda/blas"
	"spotlighter/layers"
)

// open opens the first card, a real one or the emulated driver's. There has to be
// one when SPOTLIGHTER_CARD is set.
func open(t *testing.T) *cuda.Device {
	t.Helper()
	d, err := cuda.Open(0, cuda.FP32)
	if err != nil {
		if os.Getenv("SPOTLIGHTER_CARD") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return d.(*cuda.Device)
}

// emulated skips a test that changes the emulated driver's machine.
func emulated(t *testing.T) {
	t.Helper()
	open(t)
	if f := cuda.Find(); f.Cards[0].Name != "emulated card" {
		t.Skip("a real card: ", f.Cards[0].Name)
	}
}

// inMachine runs this test again in a process that sees another machine, and
// returns what it printed. inside says that this is that process.
func inMachine(t *testing.T, environment ...string) (out string, inside bool) {
	t.Helper()
	const child = "SPOTLIGHTER_TEST_MACHINE"
	if os.Getenv(child) != "" {
		return "", true
	}
	emulated(t)
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), child+"=1"), environment...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return string(text), false
}

// model is w <- w - x w and its sum over x [batch, width].
func model(t *testing.T, d graph.Device, batch, width int) (*graph.Store, *graph.Program, error) {
	t.Helper()
	store := graph.NewStore(nil)
	if d != nil {
		store.On(d)
	}
	s := graph.New(store, graph.Float32)
	w := s.Var("w", graph.Trainable, graph.Normal(1, 1), width, width)
	x := s.Input("x", graph.Float32, batch, width)
	var y, next *graph.Node
	if err := graph.Try(func() {
		y = layers.QuickGELU(layers.Linear(x, w, nil))
		next = layers.Sub(w, layers.Scale(layers.MatMul(y, y, true, false), .01))
	}); err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"sum": layers.SumAll(y), "w": w}, graph.Update{Var: s.Find("w"), Value: next})
	return store, p, err
}

func feed(p *graph.Program) map[string]graph.Tensor {
	f := p.Feeds()
	graph.Normal(2, 1)("x", f["x"].F32)
	return f
}

func mustRun(t *testing.T, p *graph.Program) {
	t.Helper()
	if err := p.Run(t.Context(), feed(p)); err != nil {
		t.Fatal(err)
	}
}

// Weights and what updates them stay on the card: a step moves the inputs in, and
// the outputs out.
func TestOnlyInputsAndOutputsMove(t *testing.T) {
	log := t.TempDir() + "/log"
	_, inside := inMachine(t, "EMULATOR_LOG="+log)
	if inside {
		_, p, err := model(t, open(t), 3, 8)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			mustRun(t, p)
		}
		return
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var moved []string
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "upload") || strings.HasPrefix(line, "download") {
			moved = append(moved, line)
		}
	}
	// w once; then x in, and the status words, the sum and w, in the outputs' order,
	// out.
	step := []string{"upload 96", "download 32"}
	want := append([]string{"upload 256"}, slices.Concat(step, []string{"download 256", "download 4"})...)
	if len(moved) != 1+3*4 || !slices.Equal(moved[:2], want[:2]) {
		t.Fatalf("moved %q", moved)
	}
	for i := range 3 {
		part := slices.Clone(moved[1+4*i:][:4])
		slices.Sort(part)
		if want := []string{"download 256", "download 32", "download 4", "upload 96"}; !slices.Equal(part, want) {
			t.Errorf("step %d moved %q, want %q", i+1, part, want)
		}
	}
}

// What does not fit is refused before anything is launched, with what is needed,
// what is free, and a batch that would fit; that batch does.
func TestMemory(t *testing.T) {
	out, inside := inMachine(t, fmt.Sprintf("EMULATOR_MEMORY=%d", 1<<20), blas.Variable+"=off")
	if !inside {
		if !strings.Contains(out, "--- PASS") {
			t.Error(out)
		}
		return
	}
	d := open(t)
	_, _, err := model(t, d, 4096, 32)
	if err == nil {
		t.Fatal("4096 rows fit into a MiB")
	}
	var need, values, own, free string
	var fit, batch int
	text := strings.NewReplacer(" KiB", "KiB", " MiB", "MiB", ",", "", "(", "", ")", "", ";", "").Replace(err.Error())
	if _, serr := fmt.Sscanf(text, "cuda:0: the program needs %s %s of values and inputs %s of variables and constants %s are free a batch of about %d would fit this one is %d",
		&need, &values, &own, &free, &fit, &batch); serr != nil || batch != 4096 || free != "1.0MiB" {
		t.Fatalf("%v (%v)", err, serr)
	}
	_, p, err := model(t, d, fit, 32)
	if err != nil {
		t.Fatalf("a batch of %d, as advised: %v", fit, err)
	}
	mustRun(t, p)
	if _, _, err := model(t, d, fit*2, 32); err == nil {
		t.Errorf("twice the batch of %d fits too: the advice is poor", fit)
	}
	if _, _, err := model(t, d, 1, 1024); err == nil || !strings.Contains(err.Error(), "its batch of 1 is not the reason") {
		t.Error(err)
	}
}

// Programs and variables that are gone give their memory back.
func TestMemoryIsGivenBack(t *testing.T) {
	out, inside := inMachine(t, fmt.Sprintf("EMULATOR_MEMORY=%d", 1<<20), blas.Variable+"=off")
	if !inside {
		if !strings.Contains(out, "--- PASS") {
			t.Error(out)
		}
		return
	}
	for i := range 20 { // of 256 KiB each
		_, p, err := model(t, open(t), 4, 256)
		if err != nil {
			t.Fatalf("model %d: %v", i+1, err)
		}
		mustRun(t, p)
	}
}

// Each way in which a machine has no card that works is told in words.
func TestNoCard(t *testing.T) {
	for environment, want := range map[string]string{
		"EMULATOR_INIT=100":       "the NVIDIA driver finds no card",
		"EMULATOR_INIT=803":       "of different versions",
		"EMULATOR_INIT=999":       "error 999 of cuInit",
		"EMULATOR_CARDS=0":        "the NVIDIA driver finds no card",
		"EMULATOR_CAPABILITY=6.1": "emulated card has compute capability 6.1, the kernels need 7.0",
		"LD_LIBRARY_PATH=":        "no NVIDIA driver on this machine",
	} {
		out, inside := inMachine(t, environment)
		if inside {
			_, err := cuda.Open(0, cuda.FP32)
			t.Log(err)
			return
		}
		if !strings.Contains(out, want) {
			t.Errorf("%s: %s, want %q", environment, out, want)
		}
	}
	open(t)
	if _, err := cuda.Open(99, cuda.FP32); err == nil || !strings.Contains(err.Error(), "no card 99: the driver has ") {
		t.Error(err)
	}
}

// ahead is an op of no kernels.
type ahead struct{ graph.NoGrad }

func (ahead) Name() string                              { return "ahead" }
func (ahead) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (ahead) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	copy(out.F32, in[0].F32)
	return nil
}

// What a card cannot run is refused when it is compiled, by the op's name and its
// layer.
func TestRefusals(t *testing.T) {
	d := open(t)
	for want, dtype := range map[string]graph.Dtype{
		"ahead of [2] in head.top: has no CUDA kernel":                     graph.Float32,
		"exp of [2] in head.top: is in float64, and CUDA programs compute": graph.Float64,
	} {
		store := graph.NewStore(nil)
		store.On(d)
		s := graph.New(store, dtype).Sub("head").Sub("top")
		x := s.Input("x", dtype, 2)
		leave := s.Enter()
		y := layers.Exp(x)
		if dtype == graph.Float32 {
			y = graph.Apply(ahead{}, y)
		}
		leave()
		_, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"y": y})
		var ge *graph.Error
		if err == nil || !errors.As(err, &ge) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// An index that is out of range is the CPU's error, and no variable has changed.
func TestBadIndex(t *testing.T) {
	fail := func(d graph.Device) error {
		store := graph.NewStore(nil)
		if d != nil {
			store.On(d)
		}
		s := graph.New(store, graph.Float32)
		w := s.Var("w", graph.Trainable, graph.Fill(1), 3, 4)
		labels := s.Input("labels", graph.Int, 3)
		loss := layers.CrossEntropy(w, labels)
		p, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"loss": loss}, graph.Update{Var: s.Find("w"), Value: layers.Scale(w, 2)})
		if err != nil {
			t.Fatal(err)
		}
		err = p.Run(t.Context(), map[string]graph.Tensor{"labels": graph.Ints([]int{1, 7, 0}, 3)})
		if serr := store.Sync(); serr != nil {
			t.Fatal(serr)
		}
		if v := s.Find("w").Value.F32; v[0] != 1 {
			t.Errorf("w is %v after a Run that failed", v)
		}
		if err := p.Run(t.Context(), map[string]graph.Tensor{"labels": graph.Ints([]int{1, 3, 0}, 3)}); err != nil {
			t.Errorf("the next Run: %v", err)
		}
		return err
	}
	want, got := fail(nil), fail(open(t))
	if want == nil || got == nil || got.Error() != want.Error() {
		t.Errorf("%v on the card, %v on the CPU", got, want)
	}
}

// Products of rounded operands are refused where a card has no tensor cores for
// them, not computed in another way.
func TestMath(t *testing.T) {
	for _, math := range []string{cuda.TF32, cuda.BF16} {
		out, inside := inMachine(t, "EMULATOR_CAPABILITY=7.5", "MATH="+math)
		if inside {
			if _, err := cuda.Open(0, cuda.FP32); err != nil {
				t.Fatal(err)
			}
			_, err := cuda.Open(0, os.Getenv("MATH"))
			t.Log(err)
			return
		}
		if !strings.Contains(out, "emulated card has compute capability 7.5, products in "+math+" need 8.0") {
			t.Error(out)
		}
	}
}

// What cuBLAS is given counts as the device's, and where it finds no room a user
// learns how to do without it.
func TestWorkspace(t *testing.T) {
	for environment, want := range map[string]string{
		"":                                    "peak 4194304, emulated card, fp32 by cuBLAS 12.4.5",
		blas.Variable + "=off":                "peak 0, emulated card, fp32 by own kernels",
		blas.Variable + "=of":                 `SPOTLIGHTER_CUBLAS is "of", want off or nothing`,
		fmt.Sprint("EMULATOR_MEMORY=", 1<<20): "SPOTLIGHTER_CUBLAS=off does without it",
	} {
		out, inside := inMachine(t, environment)
		if inside {
			if d, err := cuda.Open(0, cuda.FP32); err != nil {
				t.Log(err)
			} else {
				t.Logf("peak %d, %s", d.(*cuda.Device).Peak(), d.(*cuda.Device).Arithmetic())
			}
			return
		}
		if !strings.Contains(out, want) {
			t.Errorf("%s: %s, want %q", environment, out, want)
		}
	}
}

// Programs of several goroutines share the card.
func TestConcurrent(t *testing.T) {
	d := open(t)
	_, want, err := model(t, nil, 5, 16)
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, want)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			_, p, err := model(t, d, 5, 16)
			if err != nil {
				t.Error(err)
				return
			}
			if err := p.Run(t.Context(), feed(p)); err != nil {
				t.Error(err)
				return
			}
			if got, want := p.Output("sum").F32[0], want.Output("sum").F32[0]; got-want > 1e-3 || want-got > 1e-3 {
				t.Errorf("the sum is %g, want %g", got, want)
			}
		})
	}
	workers.Wait()
}

// A Run that is cancelled leaves the variables as they were.
func TestCancelled(t *testing.T) {
	store, p, err := model(t, open(t), 3, 8)
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(store.Find("w").Value.F32)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := p.Run(ctx, feed(p)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := store.Sync(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(store.Find("w").Value.F32, before) {
		t.Error("w has changed")
	}
}

// Peak is the most that was held.
func TestPeak(t *testing.T) {
	d := open(t)
	_, p, err := model(t, d, 64, 128)
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, p)
	if least := int64(4 * 128 * 128); d.Peak() < least {
		t.Errorf("%d bytes at most, w alone has %d", d.Peak(), least)
	}
}
