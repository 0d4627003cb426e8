package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What an export says, and where; whether the models are right says .ci/onnx.
func TestONNXCommand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "model.onnx")
	debug := "../../experiments/debug.yaml"
	o := mustRun(t, "onnx", debug, "method=clip+spotlighter", "-o", file, "--check", "3")
	if !strings.Contains(o.out, "operators: images to attention, cache.0, ") || !strings.Contains(o.stderr, "model.onnx\t4.2 MB\n") {
		t.Errorf("%+v", o)
	}
	for name, size := range map[string]int64{"input_0.pb": 3 * 3 * 64 * 64 * 4, "output_0.pb": 3 * 64 * 4} {
		i, err := os.Stat(filepath.Join(dir, "test_data_set_0", name))
		if err != nil || i.Size() < size || i.Size() > size+100 {
			t.Errorf("%s: %v, want %d bytes and a head", name, i, size)
		}
	}

	mustRun(t, "run", debug, "method=coop+spotlighter", "out="+dir)
	mustRun(t, "run", debug, "method=coop+spotlighter", "out="+dir, "spotlight.select=random", "spotlight.candidates=1")
	runs, err := filepath.Glob(filepath.Join(dir, "coop+spotlighter-*"))
	if err != nil || len(runs) != 2 {
		t.Fatal(runs, err)
	}
	said := ""
	for _, r := range runs {
		o := run(t, "onnx", "--run", r, "-o", file)
		said += o.out + o.stderr
	}
	for _, want := range []string{
		"operators: images to belief, candidates, image, index, kept, logits, sample-wise, score, semantic-wise, weight",
		"spotlighter: program predict of method coop+spotlighter: onnx: spotlight.selection/scramble: op scramble has no form in ONNX",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"plain green circle"`, "spotlighter.image.mean", "visual.proj"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the model does not say %q", want)
		}
	}

	for _, x := range []struct {
		code int
		says string
		args []string
	}{
		{2, "want -o FILE", []string{debug}},
		{2, "want a configuration, or --run", []string{"-o", file}},
		{2, "want a configuration, or --run and no more", []string{debug, "--run", dir, "-o", file}},
		{2, `found "train"`, []string{debug, "-o", file, "--program", "train"}},
		{2, "want --run", []string{debug, "-o", file, "--program", "predict"}},
		{2, "--batch: found -1", []string{debug, "-o", file, "--batch", "-1"}},
		{2, "--check: found 3, want 2", []string{debug, "-o", file, "--batch", "2", "--check", "3"}},
		{1, "has 16 test images, 17 are wanted", []string{debug, "-o", file, "--check", "17"}},
		{1, "no config.yaml in it", []string{"--run", filepath.Join(dir, "test_data_set_0"), "-o", file}},
		{1, "no such file or directory", []string{debug, "-o", filepath.Join(dir, "nowhere", "model.onnx")}},
	} {
		if o := run(t, append([]string{"onnx"}, x.args...)...); o.code != x.code || !strings.Contains(lastLine(o), x.says) {
			t.Errorf("%v: %+v", x.args, o)
		}
	}
}
