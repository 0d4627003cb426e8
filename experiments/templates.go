package experiments

import (
	"context"
	"fmt"
	"slices"

	"spotlighter/experiments/methods"
	"spotlighter/internal/clip"
	"spotlighter/internal/prompts"
)

// The words around the class names that clip.templates names.
const (
	contextTemplate   = "context"  // those of train.context
	datasetTemplate   = "dataset"  // the data set's published template
	ensembleTemplates = "ensemble" // CLIP's published templates for it, their features averaged
)

// rewords says whether the method reads the classes in clip.templates: only the
// row that is nothing but CLIP does. What the others start from and are compared
// with stays the context words.
func rewords(method string) bool { return method == "clip" }

// wordedAs are the data sets that are put into words as another one: shifts have
// its classes.
var wordedAs = map[string]string{
	"imagenetv2": "imagenet", "imagenet_sketch": "imagenet", "imagenet_a": "imagenet", "imagenet_r": "imagenet",
}

// templates are those of clip.templates for a cell's data set, nil for the
// context words.
func (c Config) templates() ([]string, error) {
	if c.Clip.Templates == contextTemplate {
		return nil, nil
	}
	name := c.Dataset[0]
	if as, ok := wordedAs[name]; ok {
		name = as
	}
	w, err := prompts.Of(name)
	if err != nil {
		return nil, fmt.Errorf("clip.templates: found %s, want %s: %w", c.Clip.Templates, contextTemplate, err)
	}
	if c.Clip.Templates == datasetTemplate {
		return []string{w.Template}, nil
	}
	return w.Ensemble, nil
}

func (c Config) validateTemplates() error {
	if err := oneOf("clip.templates", c.Clip.Templates, []string{contextTemplate, datasetTemplate, ensembleTemplates}); err != nil {
		return err
	}
	if !slices.ContainsFunc(c.Method, rewords) {
		return nil
	}
	for _, name := range slices.Concat(c.Dataset, c.Targets) {
		if _, err := c.on(name).templates(); err != nil {
			return err
		}
	}
	return nil
}

// hashed is what of the settings changes a number of the methods.
func (c Clip) hashed(methods []string) Clip {
	if c.Templates == contextTemplate || !slices.ContainsFunc(methods, rewords) {
		c.Templates = ""
	}
	return c
}

// reword gives classes the features of a cell's templates, if its method reads them.
func (l *Lab) reword(ctx context.Context, c Config, cl *methods.Classes) error {
	if !rewords(c.Method[0]) {
		return nil
	}
	templates, err := c.templates()
	if err != nil || templates == nil {
		return err
	}
	cl.Text, err = clip.NewZeroShot(l.model, l.pool).Ensemble(ctx, templates, cl.Names)
	return err
}

// texts are all that the grid's methods read of a cell's classes.
func (l *Lab) texts(c Config, names []string) ([]string, error) {
	texts := l.prompts(c, names)
	for _, m := range c.Method {
		for _, t := range methods.Templates(m, options(c)) {
			for _, n := range names {
				texts = append(texts, l.model.Fill(t, n))
			}
		}
	}
	if !slices.ContainsFunc(c.Method, rewords) {
		return texts, nil
	}
	templates, err := c.templates()
	for _, t := range templates {
		for _, n := range names {
			texts = append(texts, l.model.Fill(t, n))
		}
	}
	return texts, err
}
