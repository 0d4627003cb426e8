package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spotlighter/internal/weights"
)

// formats are the small checkpoints, one of each published kind.
const formats = "../clip/testdata/"

func TestWeightsList(t *testing.T) {
	o := mustRun(t, "weights", "list")
	if lines := strings.Split(strings.TrimSpace(o.out), "\n"); len(lines) != 5 || !strings.HasPrefix(lines[2], "ViT-B/16  ") {
		t.Errorf("%s", o.out)
	}
}

// TestWeightsGet fetches from servers that lie. The published file itself is
// not fetched here: what another server sends is refused by size or by hash.
func TestWeightsGet(t *testing.T) {
	var asked string
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Host + r.URL.Path
		fmt.Fprint(w, "<!DOCTYPE html><title>Sign in</title>")
	}))
	defer page.Close()
	short := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(make([]byte, 100))
	}))
	defer short.Close()
	out := filepath.Join(t.TempDir(), "x.pt")
	fails(t, run(t, "weights", "get", "ViT-B/16", "--out", out, "--mirror", page.URL+"/models/"), "the server sends a page")
	if want := strings.TrimPrefix(page.URL, "http://") + "/models/ViT-B-16.pt"; asked != want {
		t.Errorf("asked for %s, want %s", asked, want)
	}
	fails(t, run(t, "weights", "get", "ViT-B/16", "--out", out, "--url", short.URL), "offers a file of 100 bytes, the published one has 350837078")
	if o := run(t, "weights", "get", "RN50"); o.code != 2 || !strings.Contains(o.stderr, `no published model is called "RN50"`) {
		t.Errorf("RN50: %+v", o)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was left")
	}
	// By way of the environment's proxy, here the page's server.
	cmd := exec.Command(program, "weights", "get", "ViT-B/16", "--out", out, "--url", "http://models.example/x.pt")
	cmd.Env = append(os.Environ(), "HTTP_PROXY="+page.URL, "http_proxy="+page.URL, "NO_PROXY=", "no_proxy=")
	if text, _ := cmd.CombinedOutput(); asked != "models.example/x.pt" || !bytes.Contains(text, []byte("sends a page")) {
		t.Errorf("by proxy: asked for %s: %s", asked, text)
	}
}

func TestWeightsCheck(t *testing.T) {
	o := run(t, "weights", "check", formats+"torchscript/model.pt")
	for _, want := range []string{"TorchScript archive, names of OpenAI", "8 x 8 pixels, patches of 4: 5 tokens", "quick_gelu", "in 50 tensors"} {
		if !strings.Contains(o.out, want) {
			t.Errorf("%s\ndoes not say %q", o.out, want)
		}
	}
	fails(t, o, "token_embedding.weight has 96 rows")
	o = mustRun(t, "weights", "check", "../tiny/clip.safetensors")
	if !strings.HasSuffix(o.out, "every tensor is there and finite\n") {
		t.Errorf("%s", o.out)
	}
	legacy := filepath.Join(t.TempDir(), "old.pt")
	content, err := os.ReadFile(formats + "legacy/old.pt")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(legacy, content, 0o644); err != nil {
		t.Fatal(err)
	}
	fails(t, run(t, "weights", "check", legacy), "nothing says whether it was trained with")
	if o := run(t, "weights", "check", legacy, "--activation", "gelu"); !strings.Contains(o.out, "activation     gelu\n") {
		t.Errorf("%s", o.out)
	}
}

// TestWeightsConvert writes each kind anew; all hold the same model.
func TestWeightsConvert(t *testing.T) {
	dir := t.TempDir()
	var first *weights.File
	for i, in := range []string{"torchscript/model.pt", "hf", "hf-sharded", "open_clip-safetensors", "open_clip-bin", "wrapped/epoch_3.pt", "legacy/old.pt"} {
		out := filepath.Join(dir, fmt.Sprint(i, ".safetensors"))
		mustRun(t, "weights", "convert", formats+in, out)
		f, err := weights.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if first == nil {
			first = f
			continue
		}
		if !slices.Equal(f.Names(), first.Names()) || f.Metadata()["activation"] != "quick_gelu" {
			t.Errorf("%s: %v, %v", in, f.Names(), f.Metadata())
		}
		for _, name := range f.Names() {
			x, _ := f.Tensor(name)
			y, _ := first.Tensor(name)
			if !slices.Equal(x.Shape, y.Shape) || !slices.Equal(x.Data, y.Data) {
				t.Errorf("%s: %s differs from the archive's", in, name)
			}
		}
	}
	if o := run(t, "weights", "convert", formats+"hf", filepath.Join(dir, "x.pt")); o.code != 2 {
		t.Errorf("another ending: %+v", o)
	}
	o := run(t, "weights", "check", filepath.Join(dir, "0.safetensors"))
	if !strings.Contains(o.out, "safetensors, names of Spotlighter") {
		t.Errorf("%s", o.out)
	}
}

func TestTokenize(t *testing.T) {
	o := mustRun(t, "tokenize", "a photo", "A  Photo!", "--context", "6", "--pad")
	if want := "[49406,320,1125,49407,0,0]\n[49406,320,1125,256,49407,0]\n"; o.out != want {
		t.Errorf("got %s, want %s", o.out, want)
	}
	fails(t, run(t, "tokenize", "a photo", "--context", "3"), "4 tokens with both marks, the context holds 3")
	if o := mustRun(t, "tokenize", "a photo", "--context", "3", "--truncate"); o.out != "[49406,320,49407]\n" {
		t.Errorf("%s", o.out)
	}
	cmd := exec.Command(program, "tokenize")
	cmd.Stdin = strings.NewReader("a photo\n\nphoto\n")
	if text, err := cmd.CombinedOutput(); err != nil || string(text) != "[49406,320,1125,49407]\n[49406,1125,49407]\n" {
		t.Errorf("standard input: %s, %v", text, err)
	}
}

// TestEncode encodes more images than a batch and wants the same rows as from
// each alone.
func TestEncode(t *testing.T) {
	const clip = "../tiny/clip.safetensors"
	dir := t.TempDir()
	pictures := filepath.Join(dir, "pictures")
	for i := range 40 {
		source := []string{"420.jpg", "alpha.png", "palette.gif"}[i%3]
		content, err := os.ReadFile("../../vit/preprocess/testdata/" + source)
		if err != nil {
			t.Fatal(err)
		}
		put(t, content, pictures, fmt.Sprintf("%02d%s", i, filepath.Ext(source)))
	}
	put(t, []byte("not an image"), pictures, "notes.txt")
	texts := put(t, []byte("a red circle\n\na blue star on grass\n"), dir, "texts.txt")
	out, alone := filepath.Join(dir, "all.safetensors"), filepath.Join(dir, "one.safetensors")
	mustRun(t, "encode", "--clip", clip, "--images", pictures, "--texts", texts, "--out", out, "--patches")
	mustRun(t, "encode", "--clip", clip, "--out", alone, "--unit", "--images", filepath.Join(pictures, "37.png"))
	all, one := open(t, out), open(t, alone)
	image, _ := all.Tensor("image")
	text, _ := all.Tensor("text")
	patches, _ := all.Tensor("patches")
	if !slices.Equal(image.Shape, []int{40, 128}) || !slices.Equal(text.Shape, []int{2, 128}) || !slices.Equal(patches.Shape, []int{40, 64, 128}) {
		t.Fatalf("image %v, text %v, patches %v", image.Shape, text.Shape, patches.Shape)
	}
	var names []string
	if err := json.Unmarshal([]byte(all.Metadata()["images"]), &names); err != nil || len(names) != 40 || names[37] != filepath.Join(pictures, "37.png") {
		t.Errorf("%v, %v", names, err)
	}
	if got := all.Metadata()["texts"]; got != `["a red circle","a blue star on grass"]` {
		t.Errorf("texts %s", got)
	}
	row, _ := one.Tensor("image")
	var square float64
	for _, v := range image.Data[37*128 : 38*128] {
		square += float64(v) * float64(v)
	}
	for i, v := range row.Data {
		if math.Abs(float64(v)*math.Sqrt(square)-float64(image.Data[37*128+i])) > 1e-4*math.Sqrt(square) {
			t.Fatalf("element %d: alone %v, in a batch %v of length %v", i, v, image.Data[37*128+i], math.Sqrt(square))
		}
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 4 {
		t.Errorf("left: %v", left)
	}
	bad := put(t, []byte("<html>"), dir, "bad.jpg")
	for want, args := range map[string][]string{
		"bad.jpg: not an image":      {"--images", bad},
		"no such file":               {"--images", "absent.jpg"},
		"this CLIP does not know zx": {"--texts", put(t, []byte("a star\nzx\n"), dir, "words.txt")},
		"words.txt, line 2":          {"--texts", filepath.Join(dir, "words.txt")},
		"nothing to encode":          nil,
	} {
		o := run(t, append([]string{"encode", "--clip", clip, "--out", filepath.Join(dir, "no.safetensors")}, args...)...)
		if o.code == 0 || !strings.Contains(lastLine(o), want) || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%v: %+v, want %q", args, o, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "no.safetensors")); err == nil {
		t.Error("a failed call left a file")
	}
}

// fails wants exit code 1 and one line with the words in it.
func fails(t *testing.T, o outcome, words string) {
	t.Helper()
	if o.code != 1 || !strings.Contains(lastLine(o), words) || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("got %+v\nwant code 1 and one line with: %s", o, words)
	}
}

func open(t *testing.T, path string) *weights.File {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
