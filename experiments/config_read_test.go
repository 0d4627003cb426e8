package experiments

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// A file counts more than what it includes, an override more than both; each
// value says where it comes from, and what is printed is read back.
func TestInclude(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"base.yaml": "shots: 4\ntrain:\n  lr: .1\n  epochs: 7\nseed: [1, 2]\n", "deep/two.yaml": "include: [../base.yaml]\nshots: 8\n",
		"x.yaml": "include: deep/two.yaml\ntrain: {lr: .2}\nseed: 3\nprotocol: domain-generalization\ndataset: imagenet\ndata: {root: /data}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, name), text)
	}
	r, err := Resolve(filepath.Join(dir, "x.yaml"), []string{"train.batch=5", `train.context="a: b"`})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Protocol, want.Dataset, want.Data.Root, want.Shots = DomainGeneralization, List[string]{"imagenet"}, "/data", 8
	want.Seed, want.Train.LR, want.Train.Epochs, want.Train.Batch, want.Train.Context = List[int]{3}, .2, 7, 5, "a: b"
	want.Targets = List[string]{"imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"}
	if !reflect.DeepEqual(r.Config, want) {
		t.Errorf("got\n%s\nwant\n%s", r.Config.YAML(), want.YAML())
	}
	for key, from := range map[string]string{
		"train.epochs": "include DIR/base.yaml:4", "shots": "include DIR/deep/two.yaml:2", "train.lr": "DIR/x.yaml:2", "seed": "DIR/x.yaml:3",
		"train.batch": "override train.batch=5", "out": "default", "targets": "default of protocol domain-generalization",
	} {
		if got := strings.ReplaceAll(r.Origin(key), dir, "DIR"); got != from {
			t.Errorf("%s: from %q, want %q", key, got, from)
		}
		line := "  # " + strings.ReplaceAll(from, "DIR", dir) + "\n"
		if !strings.Contains(string(r.YAML()), line) {
			t.Errorf("printed without %q:\n%s", line, r.YAML())
		}
	}
	printed := filepath.Join(dir, "printed.yaml")
	put(t, printed, string(r.YAML()))
	back, err := Load(printed, nil)
	if err != nil || back.Hash() != want.Hash() || !reflect.DeepEqual(back.Train, want.Train) {
		t.Errorf("%v: read back as\n%s\nprinted\n%s", err, back.YAML(), r.YAML())
	}
}

func TestIncludeMistakes(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "bad.yaml"), "shots: 4\ntrain: {lrr: 3}\n")
	put(t, filepath.Join(dir, "low.yaml"), "shots: 0\n")
	put(t, filepath.Join(dir, "round.yaml"), "include: x.yaml\n")
	for _, test := range []struct{ text, want string }{
		{"include: none.yaml\n", "x.yaml:1: include: open DIR/none.yaml: no such file or directory"},
		{"shots: 3\ninclude: 4\n", "x.yaml:2: include: found the number 4, want text"},
		{"include: bad.yaml\n", "bad.yaml:2: unknown key train.lrr, did you mean train.lr?"},
		{"include: low.yaml\n", "low.yaml:1: shots: found 0, want at least 1"},
		{"include: round.yaml\n", "round.yaml:1: include: x.yaml includes itself"},
		{"include: x.yaml\n", "x.yaml:1: include: x.yaml includes itself"},
		{"train: {include: low.yaml}\n", "x.yaml:1: unknown key train.include, want one of"},
	} {
		path := filepath.Join(dir, "x.yaml")
		put(t, path, test.text)
		_, err := Load(path, nil)
		wantError(t, err, strings.ReplaceAll(strings.ReplaceAll(test.want, "DIR", dir), "DIR", dir))
	}
	_, err := Load(filepath.Join(dir, "x.yaml"), []string{"include=low.yaml"})
	if err == nil {
		t.Error("an override includes a file")
	}
}

// What a protocol cannot do is refused before anything runs.
func TestProtocolMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"protocol: fewshot\n", `protocol: "fewshot" is none of base-to-novel, few-shot, cross-dataset, domain-generalization, zero-shot, did you mean few-shot?`},
		{"targets: fog\n", "targets: protocol base-to-novel has none"},
		{"protocol: cross-dataset\ntargets: []\n", "targets: found none, want the data sets that protocol cross-dataset tests"},
		{"protocol: cross-dataset\ntargets: [fog, clutter]\n", "targets: clutter is what is learned on (dataset)"},
		{"protocol: cross-dataset\ntargets: [fog, dusc]\n", `targets: "dusc" is none of`},
		{"protocol: cross-dataset\n", "data.root: found nothing, want the folder that holds caltech-101 (dataset caltech101)"},
		{"protocol: zero-shot\nmethod: [clip, coop]\n", "method: coop learns, protocol zero-shot has nothing to learn from; want clip or clip+spotlighter"},
		{"dataset: imagenet_a\ndata: {root: x}\n", "dataset: imagenet_a has test images only, method coop+spotlighter needs training images"},
	} {
		_, got := loadText(t, test.text)
		if !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
			t.Errorf("%q\n got %s\nwant %s", test.text, got, test.want)
		}
	}
}
