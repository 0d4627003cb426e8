package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"spotlighter/experiments"
	"spotlighter/internal/atomicfile"
)

// The files of a sweep's folder.
const (
	PlanFile     = "sweep.json"       // a Plan
	BoardFile    = "leaderboard.json" // a Board
	MarkdownFile = "leaderboard.md"
	CellsFolder  = "cells" // the configuration of each run, to run it by hand
	LogsFolder   = "logs"  // what each run wrote to its standard error
)

// CellFile is the configuration of a run of the sweep in dir.
func CellFile(dir, run string) string { return filepath.Join(dir, CellsFolder, run+".yaml") }

// LogFile is the log of a run of the sweep in dir.
func LogFile(dir, run string) string { return filepath.Join(dir, LogsFolder, run+".log") }

// Write makes the sweep's folder: the plan, and each run's configuration. Two
// processes may do it at once: they write the same.
func (p *Plan) Write() error {
	for _, folder := range []string{CellsFolder, LogsFolder} {
		if err := os.MkdirAll(filepath.Join(p.Dir, folder), 0o755); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	for _, t := range p.Trials {
		for _, rung := range t.Rungs {
			for _, run := range rung {
				path := CellFile(p.Dir, run.Folder)
				text := run.Cell.YAML()
				if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
					continue
				}
				if err := atomicfile.WriteBytes(path, text); err != nil {
					return err
				}
			}
		}
	}
	return writeJSON(filepath.Join(p.Dir, PlanFile), p)
}

// Read reads the plan of the sweep in dir, without the runs' configurations.
func Read(dir string) (*Plan, error) {
	text, err := os.ReadFile(filepath.Join(dir, PlanFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: is no sweep, it has no %s", dir, PlanFile)
	}
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	p := &Plan{Dir: dir}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("%s: not a whole plan (%v); run the sweep's command again", filepath.Join(dir, PlanFile), err)
	}
	for _, t := range p.Trials {
		if len(t.Values) != len(p.Keys) || len(t.Rungs) == 0 || metrics[p.Metric] == nil {
			return nil, fmt.Errorf("%s: not a plan of this program", filepath.Join(dir, PlanFile))
		}
	}
	return p, nil
}

// Look looks at the runs of the sweep, which lie beside its folder.
func (p *Plan) Look(folder string) (experiments.Look, error) {
	return experiments.LookAt(filepath.Join(filepath.Dir(p.Dir), folder))
}

// Find are the folders of the sweeps below out, in the order of their names.
func Find(out string) ([]string, error) {
	entries, err := os.ReadDir(out)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	var dirs []string
	for _, e := range entries {
		dir := filepath.Join(out, e.Name())
		if _, err := os.Stat(filepath.Join(dir, PlanFile)); err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.WriteBytes(path, append(text, '\n'))
}
