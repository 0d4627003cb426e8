package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"spotlighter/experiments/runfmt"
)

// readEvents is what TensorBoard makes of a folder: scalars by tag as [step,
// value], and the PNG of the last image of each tag.
const readEvents = `
import base64, json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, SCALARS, IMAGES
from tensorboard.util import tensor_util
acc = EventAccumulator(sys.argv[1], size_guidance={SCALARS: 0, IMAGES: 0})
acc.Reload()
tags = acc.Tags()
json.dump({
    "scalars": {t: [[e.step, e.value] for e in acc.Scalars(t)] for t in tags["scalars"]},
    "images": {t: base64.b64encode(acc.Images(t)[-1].encoded_image_string).decode() for t in tags["images"]},
    "sizes": {t: [acc.Images(t)[-1].width, acc.Images(t)[-1].height] for t in tags["images"]},
}, sys.stdout)
`

// TensorBoard reads a run that was stopped and went on: each epoch and interval
// once, the numbers of its metrics and its result, and the pictures.
func TestTensorBoard(t *testing.T) {
	python := os.Getenv("SPOTLIGHTER_TENSORBOARD")
	if python == "" {
		t.Skip("SPOTLIGHTER_TENSORBOARD is no Python with tensorboard; .ci/tensorboard runs this test")
	}
	out := t.TempDir()
	args := small(out, "method=coop+spotlighter", "train.epochs=30", "shots=8", "train.batch=4", "data.classes=8")
	c := start(t, args...)
	c.until(t, "the twelfth epoch", func() bool {
		paths, _ := filepath.Glob(filepath.Join(out, "*", runfmt.MetricsFile))
		return len(paths) == 1 && bytes.Count(read(t, paths[0]), []byte("\n")) >= 12
	})
	_ = c.Process.Signal(syscall.SIGTERM)
	if o := c.wait(); o.code == 0 {
		t.Fatalf("it ended before it was stopped: %+v", o)
	}
	mustRun(t, args...)
	dir := folder(t, out, "coop")
	cmd := exec.Command(python, "-c", readEvents, dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var got struct {
		Scalars map[string][][2]float64
		Images  map[string]string
		Sizes   map[string][2]int
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	metrics, err := runfmt.ReadMetrics(dir)
	if err != nil {
		t.Fatal(err)
	}
	const steps = 8 // of an epoch: 8 shots of 4 classes in batches of 4
	same := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-5*math.Abs(want) {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	if n := len(got.Scalars["epoch/loss"]); n != 30 || len(metrics) != 30 {
		t.Fatalf("%d losses of %d epochs; tags %v", n, len(metrics), got.Scalars)
	}
	for i, m := range metrics {
		at := got.Scalars["epoch/loss"][i]
		same("step", at[0], float64(steps*m.Epoch))
		same("loss", at[1], m.Values["loss"])
		same("lr", got.Scalars["epoch/lr"][i][1], m.Values["lr"])
	}
	if n := len(got.Scalars["step/loss"]); n != 30*steps/10 {
		t.Errorf("%d losses of steps, want one in ten", n)
	}
	for i, at := range got.Scalars["step/loss"] {
		same("step", at[0], float64(10*(i+1)))
	}
	res, err := runfmt.ReadResult(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range res.Sets {
		at := got.Scalars["test/"+s.Name+"/top1"]
		if len(at) != 1 {
			t.Fatalf("test of %s: %v", s.Name, at)
		}
		same(s.Name, at[0][1], s.Top1)
	}
	if len(got.Images) != 12 {
		t.Errorf("%d pictures, want 6 of each half", len(got.Images))
	}
	for tag, text := range got.Images {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(raw))
		if err != nil || img.Bounds().Dx() != got.Sizes[tag][0] || img.Bounds().Dx() < 224 {
			t.Errorf("%s: %v, %v, size %v", tag, err, img.Bounds(), got.Sizes[tag])
		}
	}
}
