package scaffold

import (
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spotlighter/internal/api"
)

// source is a copy of the packages that files are written into, and of those
// whose listings are.
func source(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module spotlighter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range slices.Compact(append([]string{"internal/datasets"}, api.Packages...)) {
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(dir), "*.*"))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, filepath.FromSlash(dir))
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				continue // a folder
			}
			if err := os.WriteFile(filepath.Join(to, filepath.Base(f)), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// TestNew writes all kinds. That what is written passes vet, staticcheck and its
// own tests is for .ci/scaffold to see, which builds it.
func TestNew(t *testing.T) {
	root := source(t)
	for kind, want := range map[string][]string{
		"op":      {"layers/api.txt", "layers/try_op.go", "layers/try_op_test.go"},
		"layer":   {"layers/api.txt", "layers/try_layer.go", "layers/try_layer_test.go"},
		"method":  {"experiments/methods/api.txt", "experiments/methods/try_method.go", "experiments/methods/try_method_test.go", "experiments/try_method.yaml"},
		"dataset": {"experiments/try_dataset.yaml", "internal/datasets/try_dataset.go", "internal/datasets/try_dataset_test.go"},
	} {
		called := "try-" + kind
		written, err := New(root, kind, called)
		if err != nil || !slices.Equal(written, want) {
			t.Errorf("%s: %v, %v, want %v", kind, written, err, want)
		}
		for _, w := range written {
			text, err := os.ReadFile(filepath.Join(root, w))
			if err != nil {
				t.Fatal(err)
			}
			if formatted, err := format.Source(text); strings.HasSuffix(w, ".go") && (err != nil || string(formatted) != string(text)) {
				t.Errorf("%s: not as gofmt has it: %v", w, err)
			}
			if !strings.HasSuffix(w, "api.txt") && strings.Contains(string(text), "{{"+".") {
				t.Errorf("%s: a template is left", w)
			}
		}
		if _, err := New(root, kind, called); err == nil || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("%s again: %v", kind, err)
		}
	}
	listing, err := os.ReadFile(filepath.Join(root, "layers", api.File))
	if err != nil || !strings.Contains(string(listing), "func TryOp(x *Node, slope float64) *Node") {
		t.Errorf("the listing has no TryOp: %v", err)
	}
}

// TestRefused wants one line for every name that would not build, and nothing
// written.
func TestRefused(t *testing.T) {
	root := source(t)
	for _, c := range []struct{ kind, name, want string }{
		{"ops", "x", `kind "ops": want one of op, layer, method, dataset`},
		{"op", "", "want lower-case letters"},
		{"op", "SoftStep", "want lower-case letters"},
		{"op", "soft__step", "want lower-case letters"},
		{"op", "../x", "want lower-case letters"},
		{"op", "9x", "want lower-case letters"},
		{"op", "func", "func means something to Go"},
		{"op", "max", "max means something to Go"},
		{"op", "x_test", "as a test or on some machines alone"},
		{"op", "x-windows", "as a test or on some machines alone"},
		{"op", "softmax", "layers/softmax.go is there already"},
		{"op", "exp", "layers/exp.go would declare Exp, which layers/unary.go has"},
		{"method", "tip-adapter", "there is a method of that name"},
		{"method", "train", "configurations have a key train already"},
		{"method", "probe", "configurations have a key probe already"},
		{"method", "tip", "configurations have a key tip already"},
		{"dataset", "dtd", "there is a data set of that name"},
		{"layer", "block", "layers/block.go would declare"},
	} {
		_, err := New(root, c.kind, c.name)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %q: error is %v, want %q", c.kind, c.name, err, c.want)
		}
		if _, err := os.Stat(filepath.Join(root, "layers", c.name+"_test.go")); c.name == "exp" && err == nil {
			t.Errorf("%s: the test was written", c.name)
		}
	}
}

func TestRoot(t *testing.T) {
	want, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Root("templates"); err != nil || got != want {
		t.Errorf("root is %s, %v, want %s", got, err, want)
	}
	if _, err := Root(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not inside the source of spotlighter") {
		t.Errorf("outside: %v", err)
	}
}
