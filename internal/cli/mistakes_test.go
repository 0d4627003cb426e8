package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
	"spotlighter/internal/tiny"
	"spotlighter/internal/weights"
	"spotlighter/vit/preprocess"
)

const config = "../../experiments/debug.yaml"

// put writes a file and the folders above it.
func put(t *testing.T, content []byte, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Bad usage is exit code 2, anything else that is wrong 1; both are one line
// that names what is wrong, with nothing on stdout and no run folder.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	file := put(t, []byte("shotz: 4\n"), dir, "typo.yaml")
	clip := read(t, "../tiny/clip.safetensors")
	put(t, clip[:len(clip)/2], dir, "half.safetensors")
	put(t, clip[:100], dir, "head.safetensors")
	put(t, nil, dir, "empty.safetensors")
	put(t, []byte("<!DOCTYPE html><html>not found</html>"), dir, "page.safetensors")
	put(t, bytes.Repeat([]byte{0xa5}, 4096), dir, "noise.safetensors")
	other := filepath.Join(dir, "other.safetensors")
	if err := weights.Save(other, map[string]weights.Tensor{"fc.weight": {Shape: []int{2}, Data: []float32{1, 2}}}, nil, "F32"); err != nil {
		t.Fatal(err)
	}
	put(t, nil, dir, "hollow", "caltech-101", "101_ObjectCategories", "x.jpg")

	for _, test := range []struct {
		args string
		code int
		want string // after the program's name; DIR is the temporary folder
	}{
		{"trian", 2, `unknown command "trian"; see spotlighter --help`},
		{"help trian", 2, `help: unknown command "trian"; see spotlighter --help`},
		{"quickstart --device gpu", 2, `--device: "gpu" is none of cpu, cuda, cuda:N (a card, from 0) and auto`},
		{"quickstart device=gpu", 1, `override device=gpu: device: "gpu" is none of cpu, cuda, cuda:N (a card, from 0) and auto`},
		{"quickstart cuda.math=fp16", 1, `override cuda.math=fp16: cuda.math: "fp16" is none of fp32, tf32, bf16, did you mean fp32?`},
		{"encode --math fp16 --clip x --out y --images z", 2, `--math: "fp16" is none of fp32, tf32, bf16`},
		{"run", 2, `spotlighter run: requires at least 1 arg(s), only received 0`},
		{"params", 2, `spotlighter params: requires at least 1 arg(s), only received 0`},
		{"run --sead 3 " + config, 2, `unknown flag: --sead`},
		{"run --threads many " + config, 2, `invalid argument "many" for "--threads" flag: strconv.ParseInt: parsing "many": invalid syntax`},
		{"run --threads -1 " + config, 2, `--threads: found -1, want at least 0`},
		{"quickstart --threads -1", 2, `--threads: found -1, want at least 0`},
		{"pretrain --threads -1 --out DIR/out", 2, `--threads: found -1, want at least 0`},
		{"pretrain --checkpoint-every 0 --out DIR/out", 2, `--checkpoint-every: found 0, want at least 1`},
		{"pretrain --steps 0 --out DIR/out", 2, `--steps: found 0, want at least 1`},

		{"run DIR/none.yaml", 1, `config: open DIR/none.yaml: no such file or directory`},
		{"run DIR", 1, `config: read DIR: is a directory`},
		{"run " + file, 1, `DIR/typo.yaml:1: unknown key shotz, did you mean shots?`},
		{"run CONFIG train.epoch=3", 1, `override train.epoch=3: unknown key train.epoch, did you mean train.epochs?`},
		{"run CONFIG train.epochs=ten", 1, `override train.epochs=ten: train.epochs: found the text "ten", want a whole number`},
		{"run CONFIG threads=-1", 1, `override threads=-1: threads: found -1, want at least 0`},
		{"quickstart seed", 1, `override seed: want key=value, such as train.lr=.01`},
		{"run CONFIG method=cocoop+spotlight", 1, `override method=cocoop+spotlight: method: "cocoop+spotlight" is none of clip, clip+spotlighter, clipfit, cocoop, coop, coop+spotlighter, coop+textrefiner, linear-probe, maple, maple+spotlighter, promptkd, promptkd+spotlighter, promptkd+textrefiner, promptsrc, promptsrc+spotlighter, tip-adapter, tip-adapter-f, did you mean coop+spotlighter?`},
		{"run CONFIG spotlight.window=5 spotlight.keep=26", 1, `override spotlight.keep=26: spotlight.keep: 26 tokens do not fit a window of 5x5`},

		{"run CONFIG dataset=caltech101", 1, config + `: data.root: found nothing, want the folder that holds caltech-101 (dataset caltech101)`},
		{"run CONFIG dataset=caltech101 data.root=DIR/none", 1, `data.root: stat DIR/none: no such file or directory`},
		{"run CONFIG dataset=caltech101 data.root=DIR", 1, `data set caltech101: no folder DIR/caltech-101: file does not exist`},
		{"run CONFIG dataset=caltech101 data.root=DIR/hollow", 1, `data set caltech101: no split file DIR/hollow/caltech-101/split_zhou_Caltech101.json: file does not exist`},
		{"run CONFIG dataset=DIR/none.yaml", 1, `task "DIR/none.yaml": neither a file nor one of clutter, dusk, fog, tuning-1, tuning-2, tuning-3, tuning-4`},

		{"run CONFIG clip=DIR/none.safetensors", 1, `weights DIR/none.safetensors: no such file or directory`},

		{"run CONFIG out=DIR/typo.yaml/runs", 1, `open run: mkdir DIR/typo.yaml: not a directory`},
	} {
		line := strings.NewReplacer("DIR", dir, "CONFIG", config+" out="+filepath.Join(dir, "out")).Replace(test.args)
		o := run(t, strings.Fields(line)...)
		want := outcome{test.code, "", "spotlighter: " + strings.ReplaceAll(test.want, "DIR", dir) + "\n"}
		if o != want {
			t.Errorf("%s\n got %+v\nwant %+v", test.args, o, want)
		}
	}
	for _, bad := range []struct{ name, words string }{
		{"half.safetensors", "weights PATH: truncated: tensor "},
		{"head.safetensors", "weights PATH: truncated: its header claims "},
		{"empty.safetensors", "weights PATH: the file is empty"},
		{"page.safetensors", "weights PATH: a web page, not weights"},
		{"noise.safetensors", "weights PATH: not weights: "},
		{"hollow", "weights PATH: a folder without weights, wanted one of "},
		{"other.safetensors", "PATH: not a CLIP "},
	} {
		path := filepath.Join(dir, bad.name)
		o := run(t, small(filepath.Join(dir, "out"), "clip="+path)...)
		wantLine(t, o, strings.ReplaceAll(bad.words, "PATH", path))
		if strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: several lines: %s", bad.name, o.stderr)
		}
	}
	if exists(dir, "out") {
		t.Errorf("%v was made by mistakes", names(t, filepath.Join(dir, "out")))
	}
}

// wantLine wants exit code 1 and one line that begins with words.
func wantLine(t *testing.T, o outcome, words string) {
	t.Helper()
	if o.code != 1 || o.out != "" || !strings.HasPrefix(lastLine(o), "spotlighter: "+words) || strings.Count(o.stderr, "spotlighter:") != 1 {
		t.Errorf("got %+v\nwant code 1 and: %s", o, words)
	}
}

// One weight that is no number is found and named before anything is run.
func TestNaNWeights(t *testing.T) {
	dir := t.TempDir()
	clip := bytes.Clone(read(t, "../tiny/clip.safetensors"))
	const name = "visual.proj"
	var header map[string]json.RawMessage
	size := binary.LittleEndian.Uint64(clip)
	if err := json.Unmarshal(clip[8:8+size], &header); err != nil {
		t.Fatal(err)
	}
	var entry struct {
		DType   string `json:"dtype"`
		Offsets []int  `json:"data_offsets"`
	}
	if err := json.Unmarshal(header[name], &entry); err != nil || entry.DType != "F16" {
		t.Fatalf("%v %+v", err, entry)
	}
	binary.LittleEndian.PutUint16(clip[8+int(size)+entry.Offsets[0]+2*77:], 0x7e00) // half-precision NaN
	path := put(t, clip, dir, "nan.safetensors")
	wantLine(t, run(t, small(filepath.Join(dir, "out"), "clip="+path)...), path+": tensor "+name+" holds NaN at element 77")
}

// More tokens than there are patches is known from the image encoder alone.
func TestKeepTooMany(t *testing.T) {
	out := t.TempDir()
	o := run(t, small(out, "method=coop+spotlighter", "spotlight.window=0", "spotlight.keep=65")...)
	wantLine(t, o, "coop+spotlighter on clutter: spotlight.keep: 65, the image encoder has 64 patches")
	if made, err := os.ReadDir(out); err != nil || len(made) > 0 {
		t.Errorf("%v %v, want nothing written", made, err)
	}
}

// A path of kernels that does not exist is an error, not a slow run.
func TestUnknownKernels(t *testing.T) {
	t.Setenv("SPOTLIGHTER_CPU", "nonsense")
	wantLine(t, run(t, small(t.TempDir())...), `SPOTLIGHTER_CPU: no kernels "nonsense" for this processor, it has `)
}

// fakeCaltech makes a data set in Caltech101's layout: 12 rendered JPEGs of
// each class, 8 of them to train on.
func fakeCaltech(t *testing.T, classes ...string) (root string) {
	t.Helper()
	root = t.TempDir()
	task, err := tiny.FindTask("clutter")
	if err != nil {
		t.Fatal(err)
	}
	split := map[string][][3]any{}
	for label, class := range classes {
		for i := range 12 {
			img := task.Render("test", 1, label, i)
			var b bytes.Buffer
			if err := jpeg.Encode(&b, &preprocess.RGB{W: tiny.Size, H: tiny.Size, Pix: img.RGB}, nil); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s/image_%04d.jpg", class, i+1)
			put(t, b.Bytes(), root, "caltech-101", "101_ObjectCategories", name)
			part := []string{"train", "train", "val", "test"}[i%4]
			split[part] = append(split[part], [3]any{name, label, class})
		}
	}
	text, err := json.Marshal(split)
	if err != nil {
		t.Fatal(err)
	}
	put(t, text, root, "caltech-101", "split_zhou_Caltech101.json")
	return root
}

func TestImageFiles(t *testing.T) {
	classes := []string{"circle", "star", "heart", "moon"}
	root := fakeCaltech(t, classes...)
	args := func(out string) []string {
		return small(out, "dataset=caltech101", "data.root="+root, "method=[clip+spotlighter, coop+spotlighter]")
	}
	out := t.TempDir()
	o := mustRun(t, args(out)...)
	if !strings.Contains(o.out, "caltech101\n") || strings.Contains(o.out, "(0%)") {
		t.Errorf("table\n%s\nwant caltech101, whose objects' places are not known", o.out)
	}
	want := numbers(t, folder(t, out, "coop"))
	if want["base_images"] != "6" || want["novel_images"] != "6" || want["on_object"] != "" {
		t.Errorf("result %v", want)
	}
	none := filepath.Join(root, "none.jpg")
	o = run(t, "look", "--run", folder(t, out, "coop"), "--out", t.TempDir(), none)
	if told := (outcome{1, "", "spotlighter: image " + none + ": no such file or directory\n"}); o != told {
		t.Errorf("got %+v\nwant %+v", o, told)
	}
	off := t.TempDir()
	mustRun(t, append(args(off), "cache=off", "threads=1")...)
	same(t, "cache off", numbers(t, folder(t, off, "coop")), want)

	image := filepath.Join(root, "caltech-101", "101_ObjectCategories", "heart", "image_0008.jpg")
	whole := read(t, image)
	for _, bad := range []struct {
		content []byte
		words   string
	}{
		{whole[:len(whole)/2], "image " + image + ": invalid JPEG format: "},
		{[]byte("GIF89a is what it says"), "image " + image + ": "},
		{bytes.Repeat([]byte{7}, 500), "image " + image + ": not an image: wanted JPEG, PNG, GIF, BMP, TIFF or WebP"},
	} {
		put(t, bad.content, image)
		out := t.TempDir()
		wantLine(t, run(t, args(out)...), folder(t, out, "clip+spotlighter")+": "+bad.words)
		if exists(folder(t, out, "clip+spotlighter"), runfmt.ResultFile) {
			t.Error("a result of images that could not be read")
		}
	}
	set := "data set caltech101: split file " + filepath.Join(root, "caltech-101", "split_zhou_Caltech101.json") + ": test[7]: "
	put(t, nil, image)
	wantLine(t, run(t, args(t.TempDir())...), set+"image "+image+" is empty")
	if err := os.Remove(image); err != nil {
		t.Fatal(err)
	}
	wantLine(t, run(t, args(t.TempDir())...), set+"no image "+image)
	if err := os.Mkdir(image, 0o755); err != nil {
		t.Fatal(err)
	}
	wantLine(t, run(t, args(t.TempDir())...), set+image+" is not a file")
}

// A word that the small CLIP never learned is named, with those that it knows;
// such words are drawn at random only on request.
func TestUnknownWords(t *testing.T) {
	root := fakeCaltech(t, "circle", "zebra", "heart", "wild_cat")
	args := small(t.TempDir(), "dataset=caltech101", "data.root="+root)
	o := run(t, args...)
	wantLine(t, o, `"a photo of a zebra": this CLIP does not know zebra; it knows only `)
	for _, w := range []string{" circle,", " heart,", "(clip.unknown=random gives unknown words random embeddings)"} {
		if !strings.Contains(o.stderr, w) {
			t.Errorf("%s\nlacks %q", o.stderr, w)
		}
	}
	args = append(args, "clip.unknown=random")
	first := mustRun(t, args...)
	if !strings.Contains(first.out, "coop+spotlighter") {
		t.Errorf("table\n%s", first.out)
	}
	if again := mustRun(t, args...); again.out != first.out {
		t.Errorf("the words drawn again are others:\n%s\n%s", first.out, again.out)
	}
}
