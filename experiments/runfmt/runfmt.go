// Package runfmt is the format of a finished run on disk, shared by the
// experiments that write it and the results that read it.
package runfmt

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"spotlighter/internal/atomicfile"
)

// Schema is the version of result.json that this program writes, and the
// newest that it reads.
const Schema = 1

// The files of a run folder.
const (
	ConfigFile     = "config.yaml"            // the cell's whole configuration
	EnvFile        = "env.json"               // where, by what and from what the run was made
	MetricsFile    = "metrics.jsonl"          // one JSON object a line, in the order of training
	CheckpointFile = "checkpoint.safetensors" // the training state at the end of an epoch
	ResultFile     = "result.json"            // a Result; written last: its presence is the done mark
	LogFile        = "log.jsonl"              // what the program said, a JSON object a line; of all sessions
	LockFile       = "lock"                   // locked by the process that works on the run
)

// Result is the outcome of one run. Accuracies and shares are in percent.
type Result struct {
	Schema   int    `json:"schema"`
	Config   string `json:"config"` // hash of the configuration
	Protocol string `json:"protocol"`
	Method   string `json:"method"`
	Dataset  string `json:"dataset"`
	Seed     int    `json:"seed"`

	// Base and Novel are the accuracies on the base and on the novel classes, each
	// among themselves, and HM their harmonic mean. In protocols without halves
	// Base is the accuracy on all classes of the data set, Novel the mean over the
	// targets, and HM, where there is no target either, Base: so that HM ranks runs
	// of any protocol.
	Base  float64 `json:"base"`
	Novel float64 `json:"novel"`
	HM    float64 `json:"hm"`

	// UnseenZeroShot says that the method knows nothing of classes that it did not
	// learn: what is tested of such classes is CLIP with hand-written prompts.
	UnseenZeroShot bool `json:"unseen_zero_shot,omitempty"`

	BaseClasses  int `json:"base_classes"`
	NovelClasses int `json:"novel_classes"`
	BaseImages   int `json:"base_images"`  // test images of the base classes
	NovelImages  int `json:"novel_images"` // test images of the novel classes

	// Classes are the classes one by one, the BaseClasses base ones first; absent
	// in results of programs that did not count them.
	Classes []ClassCount `json:"classes,omitempty"`

	// Sets are all sets of classes that the run was tested on; absent in results of
	// programs that tested less.
	Sets []Set `json:"sets,omitempty"`

	TrainableTensors int `json:"trainable_tensors"`
	TrainableScalars int `json:"trainable_scalars"`
	PromptScalars    int `json:"prompt_scalars"` // those of the trainable scalars that are the learned context

	// ImagesPerSecond is the speed of evaluation, image encoder included.
	ImagesPerSecond float64 `json:"images_per_second"`
	// OnObject is absent where the object's place is not known.
	OnObject *OnObject `json:"on_object,omitempty"`

	// Skipped are the images that could not be read and were left out, and why.
	Skipped []string `json:"skipped,omitempty"`

	Epochs       int     `json:"epochs"`
	FinalLoss    float64 `json:"final_loss"` // mean over the last epoch, 0 if nothing was trained
	TrainSeconds float64 `json:"train_seconds"`
	EvalSeconds  float64 `json:"eval_seconds"`
	// RunSeconds are those of the process that finished the run, encoding included;
	// 0 in results of programs that did not measure them.
	RunSeconds float64 `json:"run_seconds,omitempty"`
}

// ClassCount is how many test images a class has and how many of them were
// classified right, among the classes of its half.
type ClassCount struct {
	Name   string `json:"name"`
	Right  int    `json:"right"`
	Images int    `json:"images"`
}

// OnObject is the share of the kept tokens, best first, whose patch lies on the
// true object, and what tokens drawn at random would reach.
type OnObject struct {
	Top1   float64 `json:"top1"`
	Top3   float64 `json:"top3"`
	Top5   float64 `json:"top5"`
	Chance float64 `json:"chance"`
}

// HarmonicMean is 2ab / (a + b), 0 if both are 0.
func HarmonicMean(a, b float64) float64 {
	if a+b == 0 {
		return 0
	}
	return 2 * a * b / (a + b)
}

// WriteResult makes r the result of the run folder dir, whole or not at all.
func WriteResult(dir string, r Result) error {
	r.Schema = Schema
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(dir, ResultFile), err)
	}
	return atomicfile.WriteBytes(filepath.Join(dir, ResultFile), append(text, '\n'))
}

// ReadResult reads the result of the run folder dir. The error wraps
// fs.ErrNotExist if the run has none, and else is one line that names the file
// and what is wrong with it.
func ReadResult(dir string) (Result, error) {
	path := filepath.Join(dir, ResultFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return Result{}, fmt.Errorf("result: %w", err)
	}
	// The version decides what the rest may look like, so it is read first.
	var version struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return Result{}, fmt.Errorf("%s: not a whole result (%s); delete it and run again", path, reason(err))
	}
	switch {
	case version.Schema == nil:
		return Result{}, fmt.Errorf("%s: has no schema, want %d; not written by this program", path, Schema)
	case *version.Schema > Schema:
		return Result{}, fmt.Errorf("%s: schema %d, want at most %d; written by a newer program", path, *version.Schema, Schema)
	case *version.Schema < 1:
		return Result{}, fmt.Errorf("%s: schema %d, want 1 to %d", path, *version.Schema, Schema)
	}
	var r Result
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return Result{}, fmt.Errorf("%s: not a result of schema %d (%s)", path, Schema, reason(err))
	}
	switch {
	case r.Method == "":
		return Result{}, fmt.Errorf("%s: has no method", path)
	case r.Dataset == "":
		return Result{}, fmt.Errorf("%s: has no dataset", path)
	}
	if n := len(r.Classes); n > 0 && n != r.BaseClasses+r.NovelClasses {
		return Result{}, fmt.Errorf("%s: classes: found %d, want %d base and %d novel ones", path, n, r.BaseClasses, r.NovelClasses)
	}
	for _, c := range r.Classes {
		if c.Right < 0 || c.Right > c.Images {
			return Result{}, fmt.Errorf("%s: classes: %s has %d right of %d images", path, c.Name, c.Right, c.Images)
		}
	}
	for _, s := range r.Sets {
		if err := s.check(); err != nil {
			return Result{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	for name, v := range map[string]float64{"base": r.Base, "novel": r.Novel, "hm": r.HM} {
		if v < 0 || v > 100 {
			return Result{}, fmt.Errorf("%s: %s is %g, want a percentage", path, name, v)
		}
	}
	return r, nil
}

// reason is a JSON error in a user's words.
func reason(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("byte %d: %s", syntax.Offset, syntax)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s: found a %s, want a %s", kind.Field, kind.Value, kind.Type)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
