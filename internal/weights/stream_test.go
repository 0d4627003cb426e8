package weights

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	s := NewStream(path)
	for i := range 3 {
		v := float32(i)
		if err := s.Add("b", []int{2}, []float32{v, v + 1}); err != nil {
			t.Fatal(err)
		}
		if err := s.Add("a", []int{2, 2}, []float32{v, v, v, v, v, v, v, v}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Add("b", []int{2}, []float32{1}); err == nil {
		t.Error("half a row was taken")
	}
	if err := s.Save(map[string]string{"who": "test"}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, _ := f.Tensor("a")
	b, _ := f.Tensor("b")
	if !slices.Equal(a.Shape, []int{6, 2, 2}) || a.Data[23] != 2 || !slices.Equal(b.Shape, []int{3, 2}) ||
		!slices.Equal(b.Data, []float32{0, 1, 1, 2, 2, 3}) || f.Metadata()["who"] != "test" {
		t.Errorf("a %v, b %v, metadata %v", a, b, f.Metadata())
	}
	big := NewStream(path)
	defer big.Close()
	if err := big.Save(map[string]string{"names": strings.Repeat("x", maxHeader)}); err == nil || !strings.Contains(err.Error(), "several files") {
		t.Errorf("metadata that are too long: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

// TestCopy converts a small checkpoint of half precision.
func TestCopy(t *testing.T) {
	f, err := Open("../clip/testdata/open_clip-bin")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, dtype := range []string{"F32", "F16"} {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := Copy(path, f, map[string]string{"k": "v"}, dtype); err != nil {
			t.Fatal(err)
		}
		g, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(g.Names(), f.Names()) || g.Metadata()["k"] != "v" {
			t.Errorf("%s: names %v", dtype, g.Names())
		}
		for _, name := range f.Names() {
			x, _ := f.Tensor(name)
			y, _ := g.Tensor(name)
			if !slices.Equal(x.Data, y.Data) || !slices.Equal(x.Shape, y.Shape) {
				t.Errorf("%s: %s differs", dtype, name)
			}
		}
		g.Close()
	}
	if err := Copy(filepath.Join(t.TempDir(), "x"), f, nil, "F64"); err == nil || !strings.Contains(err.Error(), "F64") {
		t.Errorf("F64: %v", err)
	}
}
