package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"spotlighter/experiments/runfmt"
)

// State is how far a run folder has come.
type State string

// A broken run has a file that cannot be read; what can be read of it counts.
const (
	Done       State = "done"
	Unfinished State = "unfinished"
	Broken     State = "broken"
)

// Folder is everything that a run folder holds for readers.
type Folder struct {
	Dir    string
	State  State
	Faults []string // what is wrong with its files, a line each

	Method, Dataset string
	Seed            int

	Result   *runfmt.Result // nil if there is none that can be read
	Metrics  []runfmt.Metric
	Examples []runfmt.Example
	Settings []Setting // of the configuration, in its order
	Origin   Origin
	// Holder is the process that held the run last; empty if none is known.
	Holder string
}

// Setting is one value of a configuration, such as train.lr and 0.02.
type Setting struct{ Key, Value string }

// Origin is where a run's numbers come from, by its last session.
type Origin struct {
	Version  string   `json:"version"`
	Revision string   `json:"revision"`
	Dirty    bool     `json:"dirty"`
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	CPU      string   `json:"cpu"`
	Host     string   `json:"host"`
	Command  []string `json:"command"`
	Weights  string   `json:"-"` // hash of the pretrained weights
}

// Open reads the run folders at and below the given paths, in the order of
// dataset, method and seed; of several with the same configuration and the same
// accuracies, the first. Files that cannot be read make a folder broken, not
// the reading fail; that happens where a path is missing or holds no run.
func Open(paths ...string) ([]Folder, error) {
	var all []Folder
	seen := map[string]bool{}
	for _, path := range paths {
		dirs, err := runsBelow(path)
		if err != nil {
			return nil, fmt.Errorf("runs: %w", err)
		}
		if len(dirs) == 0 {
			return nil, fmt.Errorf("runs: %s holds no run folder", path)
		}
		for _, dir := range dirs {
			at, err := filepath.Abs(dir)
			if err != nil {
				return nil, fmt.Errorf("runs: %w", err)
			}
			if !seen[at] {
				seen[at] = true
				all = append(all, openFolder(dir))
			}
		}
	}
	all = dropTwins(all)
	slices.SortStableFunc(all, compareCells)
	return all, nil
}

// dropTwins keeps one of runs that are the same: different sweeps into different
// folders often share a cell.
func dropTwins(folders []Folder) []Folder {
	type outcome struct {
		config      string
		base, novel float64
	}
	seen := map[outcome]bool{}
	return slices.DeleteFunc(folders, func(f Folder) bool {
		if f.State != Done {
			return false
		}
		o := outcome{f.Result.Config, f.Result.Base, f.Result.Novel}
		twin := seen[o]
		seen[o] = true
		return twin
	})
}

// runsBelow finds the folders that hold a configuration or a result.
func runsBelow(path string) (dirs []string, err error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is a file, want a folder", path)
	}
	err = filepath.WalkDir(path, func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		for _, name := range []string{runfmt.ConfigFile, runfmt.ResultFile} {
			if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
				dirs = append(dirs, dir)
				return fs.SkipDir
			}
		}
		return nil
	})
	return dirs, err
}

func openFolder(dir string) Folder {
	f := Folder{Dir: dir, State: Unfinished}
	// optional is for files that a run at work may not have yet.
	optional := func(err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.Faults = append(f.Faults, oneLine(err.Error()))
		}
	}
	optional(f.readSettings())
	optional(f.readOrigin())
	r, err := runfmt.ReadResult(dir)
	if optional(err); err == nil {
		f.State, f.Result = Done, &r
		f.Method, f.Dataset, f.Seed = r.Method, r.Dataset, r.Seed
	}
	f.Metrics, err = runfmt.ReadMetrics(dir)
	if optional(err); err == nil && f.Result != nil && len(f.Metrics) != r.Epochs {
		f.Faults = append(f.Faults, fmt.Sprintf("%s: %d lines, the result says %d epochs", filepath.Join(dir, runfmt.MetricsFile), len(f.Metrics), r.Epochs))
	}
	f.Examples, err = runfmt.ReadExamples(dir)
	optional(err)
	if text, err := os.ReadFile(filepath.Join(dir, runfmt.LockFile)); err == nil {
		f.Holder = oneLine(string(text))
	}
	if len(f.Faults) > 0 {
		f.State = Broken
	}
	return f
}

// readSettings flattens the configuration, whatever keys it has, so that those
// of other versions of the program can be compared too.
func (f *Folder) readSettings() error {
	path := filepath.Join(f.Dir, runfmt.ConfigFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var tree yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(text, &tree, yaml.UseOrderedMap()); err != nil {
		return fmt.Errorf("%s: not a configuration (%s)", path, oneLine(yaml.FormatError(err, false, false)))
	}
	f.Settings = flatten(nil, "", tree)
	f.Method, f.Dataset = f.Setting("method"), f.Setting("dataset")
	fmt.Sscan(f.Setting("seed"), &f.Seed) // 0 where there is none
	return nil
}

func flatten(list []Setting, parent string, value any) []Setting {
	switch v := value.(type) {
	case yaml.MapSlice:
		for _, item := range v {
			key := fmt.Sprint(item.Key)
			if parent != "" {
				key = parent + "." + key
			}
			list = flatten(list, key, item.Value)
		}
		return list
	case []any:
		texts := make([]string, len(v))
		for i, x := range v {
			texts[i] = fmt.Sprint(x)
		}
		return append(list, Setting{parent, "[" + strings.Join(texts, ", ") + "]"})
	}
	return append(list, Setting{parent, fmt.Sprint(value)})
}

// Setting is the value at key, empty if there is none.
func (f Folder) Setting(key string) string {
	for _, s := range f.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func (f *Folder) readOrigin() error {
	path := filepath.Join(f.Dir, runfmt.EnvFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var env struct {
		Weights  string   `json:"weights"`
		Sessions []Origin `json:"sessions"`
	}
	if err := json.Unmarshal(text, &env); err != nil {
		return fmt.Errorf("%s: not JSON (%s)", path, err)
	}
	if n := len(env.Sessions); n > 0 {
		f.Origin = env.Sessions[n-1]
	}
	f.Origin.Weights, _, _ = strings.Cut(env.Weights, "/")
	return nil
}

// Results are the results of the folders that have one.
func Results(folders []Folder) []runfmt.Result {
	var list []runfmt.Result
	for _, f := range folders {
		if f.Result != nil {
			list = append(list, *f.Result)
		}
	}
	return list
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
