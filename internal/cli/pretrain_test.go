package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"spotlighter/graph/cpu"
	"spotlighter/internal/tiny"
)

// recipe is the committed one at a size of milliseconds.
func recipe() tiny.PretrainConfig {
	c := tiny.Recipe()
	c.Steps, c.Batch, c.Warmup, c.Embed = 3, 6, 1, 16
	c.Vision = tiny.Tower{Width: 32, Layers: 2, Heads: 2}
	c.Text.Width, c.Text.Layers, c.Text.Heads = 32, 1, 2
	return c
}

// trained is the checkpoint after some steps, beginning at the one at from, if any.
func trained(t *testing.T, from string, steps, threads int) []byte {
	t.Helper()
	p, err := tiny.NewPretrainer(recipe(), cpu.NewPool(threads), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Resume(from); err != nil {
		t.Fatal(err)
	}
	for range steps {
		if _, err := p.Train(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	if err := p.Checkpoint(path); err != nil {
		t.Fatal(err)
	}
	return read(t, path)
}

// Three steps are the same bits in one go, in two and with any number of threads.
func TestPretrainSameBits(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	want := trained(t, none, 3, 1)
	if got := trained(t, none, 3, 2); !bytes.Equal(got, want) {
		t.Error("two threads train to other bits than one")
	}
	two := put(t, trained(t, none, 2, 2), t.TempDir(), "two.safetensors")
	if bytes.Equal(read(t, two), want) {
		t.Error("the third step changes nothing")
	}
	if got := trained(t, two, 1, 2); !bytes.Equal(got, want) {
		t.Error("two steps and one train to other bits than three")
	}
}

// The command that was stopped goes on to the same weights.
func TestPretrainGoesOn(t *testing.T) {
	c := recipe()
	c.Steps = 60
	whole, parts := t.TempDir(), t.TempDir()
	if err := pretrain(t.Context(), c, whole, 1, 1000, nil); err != nil {
		t.Fatal(err)
	}
	checkpoint := filepath.Join(parts, "checkpoint.safetensors")
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		for deadline := time.Now().Add(time.Minute); !exists(checkpoint) && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		stop()
	}()
	err := pretrain(ctx, c, parts, 2, 2, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "stopped at step ") || !strings.HasSuffix(err.Error(), " of 60; the same command goes on from there") {
		t.Fatalf("stopped: %v", err)
	}
	if got := strings.Join(names(t, parts), " "); got != "checkpoint.safetensors lock log.jsonl" {
		t.Errorf("after the stop: %s", got)
	}

	other := c
	other.LR *= 2
	if err := pretrain(t.Context(), other, parts, 2, 2, nil); err == nil || !strings.Contains(err.Error(), checkpoint+": checkpoint of another recipe") {
		t.Errorf("another recipe: %v", err)
	}

	if err := pretrain(t.Context(), c, parts, 2, 7, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"checkpoint.safetensors", "clip.safetensors"} {
		if !bytes.Equal(read(t, parts, name), read(t, whole, name)) {
			t.Errorf("%s differs after a stop", name)
		}
	}
	if err := os.Truncate(checkpoint, 5000); err != nil {
		t.Fatal(err)
	}
	if err := pretrain(t.Context(), c, parts, 2, 7, nil); err == nil || !strings.Contains(err.Error(), checkpoint+": truncated") {
		t.Errorf("a cut checkpoint: %v", err)
	}
}

// One process works in the folder at a time. One that is killed lets go of it, and
// what it left half written is gone after the next start.
func TestPretrainAlone(t *testing.T) {
	out := t.TempDir()
	args := []string{"pretrain", "--out", out, "--threads", "1", "--steps", "500", "--checkpoint-every", "1"}
	first := start(t, args...)
	first.until(t, "has a checkpoint", func() bool { return exists(out, "checkpoint.safetensors") })
	o := run(t, args...)
	if want := "spotlighter: pretrain: " + out + ": in use by process " + strconv.Itoa(first.Process.Pid) + " on "; o.code != 1 || o.out != "" || !strings.HasPrefix(o.stderr, want) {
		t.Errorf("a second process: %+v, want %q", o, want)
	}
	if !first.alive() {
		t.Fatal("the first process ended")
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.wait()
	put(t, []byte("half a checkpoint"), out, ".checkpoint.safetensors.123.tmp")
	second := start(t, args...)
	second.until(t, "half a checkpoint goes", func() bool { return !exists(out, ".checkpoint.safetensors.123.tmp") })
	if err := second.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if o := second.wait(); strings.Contains(o.stderr, "in use") {
		t.Errorf("after the first was killed: %+v", o)
	}
}
