package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// raw builds a safetensors file from a header and data bytes.
func raw(header string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func TestSaveOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	want := map[string]Tensor{
		"b":     {Shape: []int{2, 3}, Data: []float32{0, -1, 2.5, 65504, 6e-8, float32(math.Inf(1))}},
		"a":     {Shape: []int{2}, Data: []float32{1, 2}},
		"scale": {Shape: []int{}, Data: []float32{100}},
		"none":  {Shape: []int{0, 4}, Data: []float32{}},
	}
	for _, dtype := range []string{"F32", "F16"} {
		var contents [2][]byte
		for i := range contents {
			if err := Save(path, want, map[string]string{"seed": "7", "by": "test"}, dtype); err != nil {
				t.Fatal(err)
			}
			contents[i], _ = os.ReadFile(path)
		}
		if !slices.Equal(contents[0], contents[1]) {
			t.Errorf("%s: two saves differ", dtype)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Names(); !slices.Equal(got, []string{"a", "b", "none", "scale"}) {
			t.Errorf("names %v", got)
		}
		if f.Metadata()["seed"] != "7" {
			t.Errorf("metadata %v", f.Metadata())
		}
		for name, x := range want {
			got, err := f.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			if dtype == "F16" && name == "b" {
				x.Data = slices.Clone(x.Data)
				x.Data[4] = 1.0 / (1 << 24) // the smallest F16, nearest to 6e-8
			}
			if !reflect.DeepEqual(got, x) {
				t.Errorf("%s %s: got %v, want %v", dtype, name, got, x)
			}
		}
		if len(f.Hash()) != 64 {
			t.Errorf("hash %q", f.Hash())
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Tensor("a"); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("read after close: %v", err)
		}
	}
}

func TestTypes(t *testing.T) {
	f, err := Parse("mem", raw(`{"bf":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},`+
		`"d":{"dtype":"F64","shape":[1],"data_offsets":[4,12]},`+
		`"i":{"dtype":"I64","shape":[2],"data_offsets":[12,28]},`+
		`"j":{"dtype":"I32","shape":[1],"data_offsets":[28,32]},`+
		`"u":{"dtype":"U8","shape":[2],"data_offsets":[32,34]},`+
		`"w":{"dtype":"U16","shape":[1],"data_offsets":[34,36]}}`,
		0x80, 0x3f, 0x40, 0xc0, // 1, -3
		0, 0, 0, 0, 0, 0, 0xf8, 0x3f, // 1.5
		0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, // -2, 2^32
		0xff, 0xff, 0xff, 0xff, // -1
		3, 255, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	floats := map[string][]float32{"bf": {1, -3}, "d": {1.5}, "i": {-2, 1 << 32}, "j": {-1}, "u": {3, 255}}
	for name, want := range floats {
		if got, err := f.Tensor(name); err != nil || !slices.Equal(got.Data, want) {
			t.Errorf("%s: got %v, %v, want %v", name, got.Data, err, want)
		}
	}
	ints := map[string][]int64{"i": {-2, 1 << 32}, "j": {-1}, "u": {3, 255}}
	for name, want := range ints {
		if got, err := f.Ints(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, want)
		}
	}
	for _, bad := range []func() error{
		func() error { _, err := f.Ints("d"); return err },
		func() error { _, err := f.Tensor("w"); return err },
		func() error { _, err := f.Tensor("absent"); return err },
	} {
		if err := bad(); err == nil || !strings.Contains(err.Error(), "mem") {
			t.Errorf("got %v, want an error that names the file", err)
		}
	}
}

// TestBadFiles wants one line, naming the file, for each way to be broken.
func TestBadFiles(t *testing.T) {
	tensor := func(shape, offsets string) string {
		return `{"x":{"dtype":"F32","shape":` + shape + `,"data_offsets":` + offsets + `}}`
	}
	long := raw(tensor("[1]", "[0,4]"), 0, 0, 0, 0)
	binary.LittleEndian.PutUint64(long, 1<<50)
	cut := raw(tensor("[1]", "[0,4]"), 0, 0, 0, 0)
	cases := []struct {
		name, want string
		content    []byte
	}{
		{"empty", "empty", nil},
		{"short", "too few", []byte("abc")},
		{"html", "a web page", []byte("<!DOCTYPE html><html></html>")},
		{"lfs", "Git LFS pointer", []byte("version https://git-lfs.github.com/spec/v1\n")},
		{"json", "JSON without a weight_map", []byte(`{"model_type": "clip"}`)},
		{"tar", "a tar archive", append(make([]byte, 257), "ustar\x0000"...)},
		{"long header", "claims 1125899906842624 bytes", long},
		{"cut header", "truncated", cut[:30]},
		{"cut data", "truncated", cut[:len(cut)-1]},
		{"trailing", "belong to no tensor", append(slices.Clone(cut), 0)},
		{"bad json", "bad safetensors header", raw(`{"x":`)},
		{"not an object", "not weights", raw(`[1]`)},
		{"deep", "bad safetensors header", raw(strings.Repeat(`{"x":`, 100000))},
		{"type", "invalid DType", raw(`{"x":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}`, 0)},
		{"negative", "shape", raw(tensor("[-1]", "[0,4]"), 0, 0, 0, 0)},
		{"fraction", "shape", raw(tensor("[1.5]", "[0,4]"), 0, 0, 0, 0)},
		{"backwards", "backwards", raw(tensor("[1]", "[4,0]"), 0, 0, 0, 0)},
		{"size", "takes 8 bytes", raw(tensor("[2]", "[0,4]"), 0, 0, 0, 0)},
		{"terabytes", "truncated", raw(tensor("[1000000,1000000]", "[0,4000000000000]"))},
		{"overflow", "too large", raw(tensor("[2147483647,2147483647,2147483647]", "[0,4]"))},
		{"wide side", "too large", raw(tensor("[0,18446744073709551615]", "[0,0]"))},
		{"gap", "4 bytes before it", raw(tensor("[1]", "[4,8]"), make([]byte, 8)...)},
		{"overlap", "overlaps", raw(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},`+
			`"y":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, make([]byte, 8)...)},
	}
	dir := t.TempDir()
	for i, c := range cases {
		path := filepath.Join(dir, fmt.Sprintf("%d.safetensors", i))
		if err := os.WriteFile(path, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		if err == nil {
			t.Errorf("%s: opened", c.name)
			continue
		}
		line := err.Error()
		if !strings.Contains(line, c.want) || !strings.Contains(line, path) || strings.Contains(line, "\n") {
			t.Errorf("%s: got %q, want the path and %q in one line", c.name, line, c.want)
		}
	}
	if _, err := Open(filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("absent: %v", err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "a folder without weights") {
		t.Errorf("folder: %v", err)
	}
}

func TestSaveRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	one := []float32{1}
	cases := []struct {
		want, dtype, name string
		x                 Tensor
	}{
		{"wanted F32 or F16", "I64", "x", Tensor{Shape: []int{1}, Data: one}},
		{"too large for F16", "F16", "x", Tensor{Shape: []int{1}, Data: []float32{65536}}},
		{"wants 2 values", "F32", "x", Tensor{Shape: []int{2}, Data: one}},
		{"negative", "F32", "x", Tensor{Shape: []int{-1, -1}, Data: one}},
		{"reserved", "F32", "__metadata__", Tensor{Shape: []int{1}, Data: one}},
	}
	for _, c := range cases {
		err := Save(path, map[string]Tensor{c.name: c.x}, nil, c.dtype)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused save left a file")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(raw(`{"x":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},"__metadata__":{"a":"b"}}`, 0, 0x3c, 0, 0xbc))
	f.Add(raw(`{"x":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}`, make([]byte, 8)...))
	f.Add([]byte("<html>"))
	f.Add(checkpoint(f, dictOf(text("x"), tensorOf(storageOf("0", 4), 0, []int{2, 2}, []int{2, 1}))))
	f.Add([]byte(string(legacyMagic) + program("M\xe9\x03") + program("}") +
		program(dictOf(text("x"), tensorOf(storageOf("0", 1), 0, []int{1}, []int{1}))) +
		program("]"+text("0")+"a") + "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := Parse("fuzz", content)
		if err != nil {
			return
		}
		for _, name := range file.Names() {
			shape, _ := file.Shape(name)
			x, err := file.Tensor(name)
			if err != nil {
				continue
			}
			count := 1
			for _, d := range shape {
				count *= d
			}
			if count != len(x.Data) {
				t.Errorf("%q: shape %v, %d values", name, shape, len(x.Data))
			}
		}
	})
}
