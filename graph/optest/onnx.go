package optest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/onnx"
)

// onnxFolder is the variable that names a folder for the models of all cases, which
// .ci/onnx runs.
const onnxFolder = "SPOTLIGHTER_ONNX"

// onnx exports the case, in Float32, where all its ops have a form in ONNX. With the
// variable the model is kept, with what it is fed and what must come out.
func (c Case) onnx(t *testing.T) {
	t.Helper()
	s := graph.New(graph.NewStore(nil), graph.Float32)
	feeds, outputs := map[string]graph.Tensor{}, map[string]*graph.Node{}
	err := graph.Try(func() {
		var in []*graph.Node
		for i, v := range c.values() {
			in = append(in, s.Input(name(i), v.Dtype, v.Shape...))
			feeds[name(i)] = v
		}
		outputs["out"] = c.Build(s, in)
	})
	if err != nil {
		t.Fatalf("build with inputs: %v", err)
	}
	p, err := s.Compile(cpu.NewPool(1), outputs)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	for _, st := range p.Code().Steps {
		if _, ok := st.Op.(onnx.Op); !ok {
			t.Logf("not exported: op %s has no form in ONNX", st.Op.Name())
			return
		}
	}
	m, err := onnx.Export(p, nil)
	if err != nil {
		t.Errorf("ONNX: %v", err)
		return
	}
	root := os.Getenv(onnxFolder)
	if root == "" {
		return
	}
	if err := p.Run(context.Background(), feeds); err != nil {
		t.Fatalf("run: %v", err)
	}
	at, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, filepath.Base(at), strings.NewReplacer("/", "_", ":", "_").Replace(t.Name()))
	if err := m.SaveTestData(dir, feeds, p); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Save(filepath.Join(dir, "model.onnx")); err != nil {
		t.Fatal(err)
	}
}
