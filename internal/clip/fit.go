package clip

import (
	"fmt"
	"slices"
	"strings"

	"spotlighter/graph"
)

// Fit says how a checkpoint's tensors differ from those of its architecture.
type Fit struct {
	Missing, Unknown, Misshapen []string
}

// Fit compares names and shapes without reading a value.
func (c *Checkpoint) Fit() (Fit, error) {
	store, err := c.declare()
	if err != nil {
		return Fit{}, err
	}
	return c.fit(store), nil
}

// Parameters counts the scalars of the checkpoint.
func (c *Checkpoint) Parameters() int {
	n := 0
	for _, name := range c.File.Names() {
		shape, _ := c.File.Shape(name)
		k := 1
		for _, d := range shape {
			k *= d
		}
		n += k
	}
	return n
}

func (c *Checkpoint) fit(store *graph.Store) Fit {
	var f Fit
	for _, v := range store.Variables() {
		shape, ok := c.File.Shape(v.Name)
		switch {
		case !ok:
			f.Missing = append(f.Missing, v.Name)
		case !slices.Equal(shape, v.Type.Shape):
			f.Misshapen = append(f.Misshapen, fmt.Sprintf("%s is %v, want %v", v.Name, graph.Shape(shape), v.Type.Shape))
		}
	}
	for _, name := range c.File.Names() {
		if store.Find(name) == nil {
			f.Unknown = append(f.Unknown, name)
		}
	}
	return f
}

// err is nil if everything fits.
func (f Fit) err() error {
	var what []string
	for _, p := range []struct {
		title string
		names []string
	}{{"unknown", f.Unknown}, {"missing", f.Missing}, {"misshapen", f.Misshapen}} {
		if n := len(p.names); n > 0 {
			rest := ""
			if n > maxListed {
				p.names, rest = p.names[:maxListed], fmt.Sprintf(" and %d more", n-maxListed)
			}
			what = append(what, fmt.Sprintf("%s: %s%s", p.title, strings.Join(p.names, ", "), rest))
		}
	}
	if what == nil {
		return nil
	}
	return fmt.Errorf("tensors do not fit the model: %s", strings.Join(what, "; "))
}

// maxListed bounds how many names a message has of a kind.
const maxListed = 10

// Check is an error that names what does not fit.
func (c *Checkpoint) Check() error {
	fit, err := c.Fit()
	if err == nil {
		err = fit.err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.File.Name(), err)
	}
	return nil
}
