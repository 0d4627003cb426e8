package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Pieces of pickles, as PyTorch writes them.
const (
	floatStorage = "ctorch\nFloatStorage\n"
	rebuild      = "ctorch._utils\n_rebuild_tensor_v2\n"
)

func text(s string) string {
	return string(binary.LittleEndian.AppendUint32([]byte("X"), uint32(len(s)))) + s
}

func number(n int) string {
	return string(binary.LittleEndian.AppendUint64([]byte("\x8a\x08"), uint64(n)))
}

func tuple(items ...string) string { return "(" + strings.Join(items, "") + "t" }

func numbers(ns ...int) string {
	var items []string
	for _, n := range ns {
		items = append(items, number(n))
	}
	return tuple(items...)
}

// storageOf is a reference to storage key of count floats.
func storageOf(key string, count int) string {
	return tuple(text("storage"), floatStorage, text(key), text("cpu"), number(count)) + "Q"
}

// tensorOf is a call that rebuilds a tensor.
func tensorOf(storage string, offset int, shape, stride []int) string {
	return rebuild + tuple(storage, number(offset), numbers(shape...), numbers(stride...), "\x89", "N") + "R"
}

// dictOf is a dictionary of alternating keys and values.
func dictOf(items ...string) string {
	return "}(" + strings.Join(items, "") + "u"
}

func program(value string) string { return "\x80\x02" + value + "." }

// zipOf stores files without compression, names and contents alternating.
func zipOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.CreateHeader(&zip.FileHeader{Name: files[i], Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(files[i+1]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checkpoint is a PyTorch zip of one value and one storage of the floats 1 to 4.
func checkpoint(t testing.TB, value string) []byte {
	t.Helper()
	var data []byte
	for _, v := range []uint32{0x3f800000, 0x40000000, 0x40400000, 0x40800000} {
		data = binary.LittleEndian.AppendUint32(data, v)
	}
	return zipOf(t, "archive/data.pkl", program(value), "archive/data/0", string(data), "archive/version", "3\n")
}

func TestTorchViews(t *testing.T) {
	four := storageOf("0", 4)
	f, err := Parse("mem", checkpoint(t, dictOf(text("state_dict"), dictOf(
		text("module.a"), tensorOf(four, 0, []int{2, 2}, []int{2, 1}),
		text("module.t"), tensorOf(four, 0, []int{2, 2}, []int{1, 2}),
		text("module.end"), tensorOf(four, 2, []int{2}, []int{1}),
		text("module.every_other"), tensorOf(four, 1, []int{2}, []int{2}),
		text("module.scalar"), tensorOf(four, 3, nil, nil),
		text("module.none"), tensorOf(four, 4, []int{0}, []int{1}),
		text("epoch"), number(3),
	), text("epoch"), number(3))))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Tensor{
		"a":           {[]int{2, 2}, []float32{1, 2, 3, 4}},
		"t":           {[]int{2, 2}, []float32{1, 3, 2, 4}},
		"end":         {[]int{2}, []float32{3, 4}},
		"every_other": {[]int{2}, []float32{2, 4}},
		"scalar":      {[]int{}, []float32{4}},
		"none":        {[]int{0}, []float32{}},
	} {
		got, err := f.Tensor(name)
		if err != nil || !slices.Equal(got.Shape, want.Shape) || !reflect.DeepEqual(got.Data, want.Data) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	if f.Format() != PyTorchZip || len(f.Names()) != 6 {
		t.Errorf("%s of %v", f.Format(), f.Names())
	}
}

// hostile are files that look like PyTorch's and must be refused in one line.
func hostile(t testing.TB) map[string][]byte {
	four := storageOf("0", 4)
	one := func(shape, stride []int) []byte {
		return checkpoint(t, dictOf(text("x"), tensorOf(four, 0, shape, stride)))
	}
	module := func(state string) string { return "c__torch__.M\nM\n)\x81" + state + "b" }
	deep := dictOf(text("x"), tensorOf(four, 0, []int{4}, []int{1}))
	for range 40 {
		deep = dictOf(text("m"), module(deep))
	}
	var alias []string
	for i := range 100 {
		alias = append(alias, text(fmt.Sprint(i)), tensorOf(four, 0, []int{4}, []int{1}))
	}
	var compressed bytes.Buffer
	w := zip.NewWriter(&compressed)
	p, _ := w.Create("archive/data.pkl")
	p.Write(make([]byte, 1<<20))
	w.Close()
	huge := binary.LittleEndian.AppendUint64([]byte("\x80\x02\x8d"), 1<<50)
	return map[string][]byte{
		"wants \"os.system\"":                    checkpoint(t, "cos\nsystem\n"+tuple(text("true"))+"R"),
		"wants \"clip.model.CLIP\"":              checkpoint(t, "cclip.model\nCLIP\n)\x81"),
		"wants \"builtins.eval\"":                checkpoint(t, "\x8c\x08builtins\x8c\x04eval\x93"+tuple(text("1"))+"R"),
		"is not one of a checkpoint's":           checkpoint(t, "(ios\nsystem\n"),
		"claims more than":                       zipOf(t, "a/data.pkl", string(huge)),
		"claims more than the":                   zipOf(t, "a/data.pkl", "\x80\x02T\xff\xff\xff\x7f"),
		"an integer of":                          checkpoint(t, "\x8a\xff"+strings.Repeat("x", 255)),
		"more than 500000 instructions":          checkpoint(t, strings.Repeat("]", 600_000)),
		"has no end":                             zipOf(t, "a/data.pkl", "\x80\x02N"),
		"holds no state dict":                    checkpoint(t, strings.Repeat("(", 10_000)+"N"),
		"REDUCE requires a Callable":             checkpoint(t, "]q\x00h\x00a)R"), // a list of itself
		"bad pickle: runtime error":              checkpoint(t, dictOf(text("x"))),
		"no tensors in it":                       checkpoint(t, dictOf(text("x"), number(1))),
		"a tensor without a name":                checkpoint(t, dictOf(number(1), tensorOf(four, 0, nil, nil))),
		"leaves its storage":                     one([]int{2}, []int{4}),
		"does not fit its storage":               one([]int{1 << 40, 1 << 40}, []int{0, 0}),
		"[-1] with strides [1] does not fit":     one([]int{-1}, []int{1}),
		"[2] with strides [9223372036854775807]": one([]int{2}, []int{1<<63 - 1}),
		"are of the wrong kind":                  one([]int{2}, []int{1, 1}),
		"claims 1099511627776 values":            checkpoint(t, dictOf(text("x"), tensorOf(storageOf("0", 1<<40), 0, []int{1 << 40}, []int{1}))),
		"no file \"archive/data/9\"":             checkpoint(t, dictOf(text("x"), tensorOf(storageOf("9", 4), 0, []int{4}, []int{1}))),
		"no file \"archive/data/../../secret\"":  checkpoint(t, dictOf(text("x"), tensorOf(storageOf("../../secret", 4), 0, []int{4}, []int{1}))),
		"id is not of a checkpoint":              checkpoint(t, tuple(text("storage"))+"Q"),
		"deeper than 32":                         zipOf(t, "a/data.pkl", program(module(deep)), "a/data/0", string(make([]byte, 16)), "a/constants.pkl", ""),
		"more than four times":                   checkpointOf(t, alias, 4000),
		"leaves the archive":                     zipOf(t, "../../etc/passwd", "x", "archive/data.pkl", program(dictOf())),
		"two files are called":                   zipOf(t, "a/data.pkl", "x", "a/data.pkl", "y"),
		"no data.pkl in it":                      zipOf(t, "word/document.xml", "x"),
		"without its table of contents":          checkpoint(t, dictOf())[:100],
		"is compressed":                          compressed.Bytes(),
		"byte order":                             zipOf(t, "a/data.pkl", program(dictOf()), "a/byteorder", "big"),
		"protocol 7":                             []byte(string(legacyMagic) + program("K\x07") + program("}") + program("}") + program("]")),
		"storage \"0\" is missing":               []byte(string(legacyMagic) + program("M\xe9\x03") + program("}") + program(dictOf(text("x"), tensorOf(four, 0, []int{4}, []int{1}))) + program("]"+text("0")+"a")),
		"a bare pickle":                          []byte(program("}")),
	}
}

// checkpointOf is a zip whose tensors all view one storage of count floats.
func checkpointOf(t testing.TB, items []string, count int) []byte {
	for i := range items {
		items[i] = strings.ReplaceAll(items[i], number(4), number(count))
	}
	return zipOf(t, "archive/data.pkl", program(dictOf(items...)), "archive/data/0", string(make([]byte, 4*count)))
}

func TestHostile(t *testing.T) {
	for want, content := range hostile(t) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := Parse("mem", content)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		switch {
		case err == nil:
			t.Errorf("%q: opened", want)
		case !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "weights mem: ") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 400:
			t.Errorf("got %q, want one line with %q", err, want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 || took > 2*time.Second {
			t.Errorf("%q: %d MiB, %v", want, used>>20, took)
		}
	}
}

// TestTruncated cuts real files, one of each format, at many places.
func TestTruncated(t *testing.T) {
	for _, path := range []string{"torchscript/model.pt", "open_clip-bin/open_clip_pytorch_model.bin", "legacy/old.pt", "hf/model.safetensors"} {
		content, err := os.ReadFile(filepath.Join("../clip/testdata", path))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(path, content); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(content); n += 1 + n/20 {
			if _, err := Parse(path, content[:n]); err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %d of %d bytes: %v", path, n, len(content), err)
			}
		}
	}
}

func TestIndexRefused(t *testing.T) {
	for want, index := range map[string]string{
		"not a file of the same folder": `{"weight_map": {"x": "../a.safetensors"}}`,
		"is a folder":                   `{"weight_map": {"x": "sub"}}`,
		"no such file":                  `{"weight_map": {"x": "b.safetensors"}}`,
		"is not in a.safetensors":       `{"weight_map": {"y": "a.safetensors"}}`,
		"is JSON":                       `{"weight_map": {"x": "model.safetensors.index.json"}}`,
		"bad JSON":                      `{"weight_map": `,
	} {
		dir := t.TempDir()
		os.Mkdir(filepath.Join(dir, "sub"), 0o755)
		if err := Save(filepath.Join(dir, "a.safetensors"), map[string]Tensor{"x": {[]int{1}, []float32{1}}}, nil, "F32"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(index), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", index, err, want)
		}
	}
}

// FuzzPickle gives the reader any program as a checkpoint's.
func FuzzPickle(f *testing.F) {
	f.Add([]byte(program(dictOf(text("x"), tensorOf(storageOf("0", 4), 0, []int{2, 2}, []int{1, 2})))))
	f.Add([]byte(program("ccollections\nOrderedDict\n)R(" + text("x") + tensorOf(storageOf("0", 4), 1, []int{3}, []int{1}) + "u}" + text("_metadata") + "}sb")))
	f.Add([]byte(program("c__torch__.M\nM\n)\x81" + dictOf(text("x"), tensorOf(storageOf("0", 4), 0, nil, nil)) + "b")))
	for _, content := range hostile(f) {
		if a, err := openArchive(content); err == nil {
			if p, err := a.bytes("data.pkl"); err == nil && len(p) < 4096 {
				f.Add(p)
			}
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		content := zipOf(t, "a/data.pkl", string(p), "a/data/0", string(make([]byte, 16)))
		file, err := Parse("fuzz", content)
		if err != nil {
			if len(err.Error()) > 1000 || strings.Contains(err.Error(), "\n") {
				t.Errorf("not one line: %q", err)
			}
			return
		}
		for _, name := range file.Names() {
			shape, _ := file.Shape(name)
			x, err := file.Tensor(name)
			if err == nil && product(shape) != len(x.Data) {
				t.Errorf("%q: shape %v, %d values", name, shape, len(x.Data))
			}
		}
	})
}
