package runfmt

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"spotlighter/internal/atomicfile"
)

// ExamplesFile holds the test images that a run shows.
const ExamplesFile = "examples.json"

// Example is a test image as the encoder saw it, with what a method made of it.
type Example struct {
	PNG     []byte `json:"png"`
	Grid    int    `json:"grid"`             // patches a side
	Level1  []int  `json:"level1,omitempty"` // kept patches, row by row from the top left
	Level2  []int  `json:"level2,omitempty"` // of all levels below
	Caption string `json:"caption"`          // the predicted class
	Right   bool   `json:"right"`            // whether it is the true one
	Class   string `json:"class,omitempty"`  // the true one; "" in files of programs that did not write it
}

// WriteExamples writes the examples of the run folder dir.
func WriteExamples(dir string, xs []Example) error {
	text, err := json.Marshal(xs)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(dir, ExamplesFile), err)
	}
	return atomicfile.WriteBytes(filepath.Join(dir, ExamplesFile), append(text, '\n'))
}

// ReadExamples reads the examples of the run folder dir.
func ReadExamples(dir string) ([]Example, error) {
	path := filepath.Join(dir, ExamplesFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("examples: %w", err)
	}
	var xs []Example
	if err := json.Unmarshal(text, &xs); err != nil {
		return nil, fmt.Errorf("%s: %s", path, reason(err))
	}
	return xs, nil
}
