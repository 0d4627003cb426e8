package optest

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// Check tests the case, as a subtest of its name:
//   - gradients agree with central differences, in Float64;
//   - Float32 agrees with Float64, on every kernel path of the processor;
//   - any number of threads and a second run give the same bits;
//   - the value agrees with Want;
//   - Gorgonia's own machines compute the same from the same graph;
//   - the CUDA kernels of each op compute the same, interpreted, and report the
//     same failures;
//   - the ops that have a form in ONNX can be written.
func Check(t *testing.T, c Case) {
	t.Helper()
	t.Run(c.Name, func(t *testing.T) {
		t.Helper()
		if recording() {
			if c.SkipCUDA == "" {
				c.kernels(t)
			}
			return
		}
		if c.Fails != "" {
			c.fails(t)
			return
		}
		double := c.build(t, graph.Float64)
		exact := double.run(t, 1)
		double.threads(t, exact)
		if c.Want != nil {
			if i := far(floats(exact.out), c.Want, or(c.WantTol, 1e-7)); i >= 0 {
				t.Errorf("result is %v, want %v (element %d)", floats(exact.out), c.Want, i)
			}
		}
		if !c.NoGrad {
			c.differences(t, double, exact)
		}
		single := c.build(t, graph.Float32)
		eachPath(t, func(t *testing.T) {
			r := single.run(t, 1)
			single.threads(t, r)
			single.near(t, "Float32", r, exact, or(c.F32Tol, 1e-5))
		})
		if c.SkipCUDA == "" {
			c.kernels(t)
		} else {
			t.Logf("not by CUDA kernels: %s", c.SkipCUDA)
		}
		if c.SkipONNX == "" {
			c.onnx(t)
		} else {
			t.Logf("not in ONNX: %s", c.SkipONNX)
		}
		if c.SkipStock == "" {
			c.stock(t, exact)
		} else {
			t.Logf("not under Gorgonia's machines: %s", c.SkipStock)
		}
	})
}

// fails checks the error of a run, on the CPU and by CUDA kernels.
func (c Case) fails(t *testing.T) {
	t.Helper()
	for _, dtype := range []graph.Dtype{graph.Float64, graph.Float32} {
		b := c.build(t, dtype)
		p, err := b.scope.Compile(cpu.NewPool(1), map[string]*graph.Node{"out": b.out})
		if err != nil {
			t.Fatalf("compile: %v", err)
		}
		c.ended(t, dtype.String(), p.Run(context.Background(), b.feeds))
	}
	if c.SkipCUDA == "" {
		c.kernels(t)
	}
}

// ended checks how a run ended.
func (c Case) ended(t *testing.T, what string, err error) {
	t.Helper()
	switch {
	case c.Fails == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case c.Fails != "" && (err == nil || !strings.Contains(err.Error(), c.Fails)):
		t.Errorf("%s: error is %v, want one that says %q", what, err, c.Fails)
	}
}

// eachPath runs f with every set of kernels that the processor has.
func eachPath(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	before, err := cpu.Path()
	if err != nil {
		t.Fatal(err)
	}
	use := func(path string) {
		if err := cpu.Use(path); err != nil {
			t.Fatal(err)
		}
	}
	defer use(before)
	for _, path := range cpu.Paths() {
		t.Run(path, func(t *testing.T) {
			use(path)
			f(t)
		})
	}
}

// threads runs on more threads, which must not change a bit.
func (b *built) threads(t *testing.T, want result) {
	t.Helper()
	b.same(t, "2 threads", b.run(t, 2), want)
	b.same(t, "3 threads", b.run(t, 3), want)
}

func (b *built) same(t *testing.T, what string, got, want result) {
	t.Helper()
	b.each(got, want, func(part string, got, want graph.Tensor) {
		t.Helper()
		if !slices.Equal(got.Shape, want.Shape) {
			t.Errorf("%s: %s is of shape %v, was %v", what, part, got.Shape, want.Shape)
			return
		}
		x, y := floats(got), floats(want)
		for i := range x {
			if math.Float64bits(x[i]) != math.Float64bits(y[i]) {
				t.Errorf("%s: %s differs at %d: %v, was %v", what, part, i, x[i], y[i])
				return
			}
		}
	})
}

func (b *built) near(t *testing.T, what string, got, want result, tol float64) {
	t.Helper()
	b.each(got, want, func(part string, got, want graph.Tensor) {
		t.Helper()
		x, y := floats(got), floats(want)
		if i := far(x, y, tol); i >= 0 && i < min(len(x), len(y)) {
			t.Errorf("%s: %s is %v at %d, want %v", what, part, x[i], i, y[i])
		} else if i >= 0 {
			t.Errorf("%s: %s has %d elements, want %d", what, part, len(x), len(y))
		}
	})
}

// coordinates is how many elements of an input are moved.
const coordinates = 48

// differences compares the gradients with (f(x+h) - f(x-h))/2h.
func (c Case) differences(t *testing.T, b *built, exact result) {
	t.Helper()
	p, err := b.scope.Compile(cpu.NewPool(1), map[string]*graph.Node{"out": b.out})
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	w := floats(b.feeds[weights])
	value := func() []float64 {
		if err := p.Run(context.Background(), b.feeds); err != nil {
			t.Fatalf("run: %v", err)
		}
		return slices.Clone(p.Output("out").F64)
	}
	r := c.rand()
	for i, v := range b.vars {
		x := v.Value.F64
		places := r.Perm(len(x))
		places = places[:min(len(places), coordinates)]
		var got, want []float64
		for _, k := range places {
			const h = 1e-5
			at := x[k]
			x[k] = at + h
			up, hi := value(), x[k]
			x[k] = at - h
			down, lo := value(), x[k]
			x[k] = at
			// The loss is differenced element by element: most do not move, and
			// their rounding would drown the difference.
			var d float64
			for j := range w {
				d += w[j] * (up[j] - down[j])
			}
			want = append(want, d/(hi-lo))
			got = append(got, exact.grads[i].F64[k])
		}
		if k := far(got, want, or(c.GradTol, 1e-7)); k >= 0 {
			t.Errorf("gradient of %s is %v at %d, finite differences give %v", v.Name, got[k], places[k], want[k])
		}
	}
}
