// Package catalogue knows where CLIP models are published, and fetches them.
package catalogue

import (
	_ "embed" // the catalogue
	"fmt"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// Model is one published file.
type Model struct {
	Name    string // as its authors write it: ViT-B/16
	File    string // the name of the file
	URL     string // where its authors publish it
	SHA256  string // of the file, in hex
	Bytes   int64  // of the file
	Licence string
}

//go:embed catalogue.yaml
var text []byte

// Models lists the catalogue. An error means that the embedded file is damaged.
var Models = sync.OnceValues(func() ([]Model, error) {
	var all []Model
	if err := yaml.UnmarshalWithOptions(text, &all, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	return all, nil
})

// Find returns a model by its name or the name of its file, with or without
// ending, in any case.
func Find(name string) (Model, error) {
	all, err := Models()
	if err != nil {
		return Model{}, err
	}
	var known []string
	for _, m := range all {
		for _, n := range []string{m.Name, m.File, strings.TrimSuffix(m.File, ".pt")} {
			if strings.EqualFold(n, name) {
				return m, nil
			}
		}
		known = append(known, m.Name)
	}
	return Model{}, fmt.Errorf("no published model is called %.100q; there are %s", name, strings.Join(known, ", "))
}
