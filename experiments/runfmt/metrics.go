package runfmt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Metric is what a run measured at the end of an epoch.
type Metric struct {
	Epoch  int                // from 1
	Values map[string]float64 // such as "loss" and "lr"
}

// ReadMetrics reads the metrics of the run folder dir. The error wraps
// fs.ErrNotExist if the run has none. A line that is not whole, because the
// disk was full or the machine went down, ends the reading: the metrics before
// it are returned beside an error that names the line.
func ReadMetrics(dir string) ([]Metric, error) {
	path := filepath.Join(dir, MetricsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	var list []Metric
	number := 0
	for line := range bytes.Lines(text) {
		number++
		m, err := parseMetric(line)
		if err != nil {
			return list, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		list = append(list, m)
	}
	return list, nil
}

func parseMetric(line []byte) (Metric, error) {
	if !bytes.HasSuffix(line, []byte("\n")) {
		return Metric{}, fmt.Errorf("cut in the middle of the line after %d bytes", len(line))
	}
	var all map[string]any
	if err := json.Unmarshal(line, &all); err != nil {
		return Metric{}, fmt.Errorf("not a whole line (%s)", reason(err))
	}
	epoch, ok := all["epoch"].(float64)
	if !ok || epoch < 1 || epoch != float64(int(epoch)) {
		return Metric{}, fmt.Errorf("epoch: found %v, want a whole number from 1", all["epoch"])
	}
	m := Metric{Epoch: int(epoch), Values: map[string]float64{}}
	delete(all, "epoch")
	for name, v := range all {
		x, ok := v.(float64)
		if !ok {
			return Metric{}, fmt.Errorf("%s: found %v, want a number", name, v)
		}
		m.Values[name] = x
	}
	return m, nil
}
