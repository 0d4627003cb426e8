package experiments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"spotlighter/experiments/runfmt"
)

// Log appends v as one line to the metrics and flushes it to the disk, so that
// a checkpoint written afterwards never knows an epoch that the metrics lack.
// v becomes a JSON object; its "epoch" counts from 1.
func (r *Run) Log(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", r.path(runfmt.MetricsFile), err)
	}
	f, err := os.OpenFile(r.path(runfmt.MetricsFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// TruncateMetrics cuts the metrics back to the first epochs: the file ends
// before the first line of a later epoch, or before the first line that was
// not written whole. kept is the last epoch that is left.
func (r *Run) TruncateMetrics(epochs int) (kept int, err error) {
	text, err := os.ReadFile(r.path(runfmt.MetricsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	keep := int64(0)
	for line := range bytes.Lines(text) {
		var entry struct {
			Epoch int `json:"epoch"`
		}
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &entry) != nil || entry.Epoch > epochs {
			break
		}
		keep += int64(len(line))
		kept = entry.Epoch
	}
	if epochs == 0 {
		keep, kept = 0, 0 // nothing was trained, so nothing was measured
	}
	if err := os.Truncate(r.path(runfmt.MetricsFile), keep); err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	return kept, nil
}
