package experiments

import (
	"encoding/json"
	"fmt"

	"spotlighter/graph"
	"spotlighter/internal/weights"
)

// positionKey is where a checkpoint's metadata keep the position.
const positionKey = "position"

// save writes the training state: every variable that the run owns, and where
// it stands. Floats are kept exactly.
func (t *trainer) save(path string, at position) error {
	if err := t.store.Sync(); err != nil {
		return fmt.Errorf("checkpoint %s: %w", path, err)
	}
	values := map[string]weights.Tensor{}
	for _, v := range t.store.Variables() {
		values[v.Name] = weights.Tensor{Shape: v.Value.Shape, Data: v.Value.F32}
	}
	text, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", path, err)
	}
	return weights.Save(path, values, map[string]string{positionKey: string(text)}, "F32")
}

// restore continues from a checkpoint.
func (t *trainer) restore(path string) error {
	f, err := weights.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	values := map[string]graph.Tensor{}
	for _, n := range f.Names() {
		x, err := f.Tensor(n)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		values[n] = graph.Floats(x.Data, x.Shape...)
	}
	if err := t.store.Load(values); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := json.Unmarshal([]byte(f.Metadata()[positionKey]), &t.at); err != nil {
		return fmt.Errorf("%s: metadata %s: %w", path, positionKey, err)
	}
	return nil
}
