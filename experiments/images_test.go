package experiments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"spotlighter/experiments/methods"
)

// imageCell is a cell of seconds of a method that reads images, with settings that
// fit the embedded CLIP.
func imageCell(t *testing.T, method string, more ...string) Config {
	t.Helper()
	overrides := []string{"method=" + method, "shots=3", "train.batch=2", "train.views=2"}
	switch methods.SectionsOf(method)[0] {
	case "maple":
		overrides = append(overrides, "maple.depth=2")
	case "promptsrc":
		overrides = append(overrides, "promptsrc.text_depth=2", "promptsrc.image_depth=3", "promptsrc.average_mean=2",
			"promptsrc.templates=['a photo of a {}', 'an image of a {}']")
	}
	c, err := LoadEmbedded("debug.yaml", append(overrides, more...))
	if err != nil {
		t.Fatal(err)
	}
	c.Out, c.Threads = t.TempDir(), 2
	return c
}

// Methods that read images give the same bits on one thread and on two, with images
// kept and decoded anew, and stopped after any step.
func TestImagesSameBits(t *testing.T) {
	for _, method := range []string{"maple", "promptsrc", "clipfit"} {
		t.Run(method, func(t *testing.T) {
			c := imageCell(t, method)
			steps := 0
			want, dir, _, err := newLab(t, c).RunCell(t.Context(), c, func(s Step) {
				if s.Epoch > 0 {
					steps++
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if steps < 4 || want.TrainableScalars == 0 {
				t.Fatalf("%d steps, %d scalars", steps, want.TrainableScalars)
			}
			whole := written(t, dir)
			same := func(what string, c Config, lab *Lab) {
				t.Helper()
				got, dir, _, err := lab.RunCell(t.Context(), c, quiet)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				for i, text := range written(t, dir) {
					if !bytes.Equal(text, whole[i]) {
						t.Errorf("%s: file %d differs", what, i)
					}
				}
				compare(t, got, want)
			}
			one := c
			one.Out, one.Threads = t.TempDir(), 1
			same("one thread", one, newLab(t, one))
			anew := c
			anew.Out, anew.Cache = t.TempDir(), "off"
			same("decoded anew", anew, newLab(t, anew))
			lab := newLab(t, c)
			for at := 1; at < steps; at++ {
				stopped := c
				stopped.Out = t.TempDir()
				ctx, stop := context.WithCancel(t.Context())
				n := 0
				_, _, _, err := lab.RunCell(ctx, stopped, func(s Step) {
					if s.Epoch > 0 {
						if n++; n == at {
							stop()
						}
					}
				})
				stop()
				if !errors.Is(err, ErrStopped) {
					t.Fatalf("step %d: %v", at, err)
				}
				same(fmt.Sprintf("stopped after step %d", at), stopped, lab)
			}
		})
	}
}

// What does not fit the model is refused in one line, before anything is trained.
func TestImagesRefused(t *testing.T) {
	for _, test := range []struct{ method, override, want string }{
		{"maple", "maple.depth=3", "maple.depth: 3, the text encoder has 2 blocks"},
		{"maple", "maple.tokens=5", "maple.tokens: 5 are learned in the place of words, train.context has 4"},
		{"promptsrc", "promptsrc.image_depth=9", "promptsrc.image_depth: 9, the image encoder has 5 blocks"},
	} {
		c := imageCell(t, test.method, test.override)
		wantError(t, newLab(t, c).Check(t.Context(), c), test.want)
	}
	_, err := LoadEmbedded("debug.yaml", []string{"method=maple", "prune.block=2", "prune.by=text"})
	wantError(t, err, "prune.by: found text, want deviation or attention: method maple has a pass of the image encoder of its own")
	_, err = LoadEmbedded("debug.yaml", []string{"method=maple", "maple.dept=2"})
	wantError(t, err, "unknown key maple.dept, did you mean maple.depth?")
	c := imageCell(t, "promptsrc")
	c.Sections["promptsrc"] = methods.DefaultSettings("promptsrc")
	_, err = NewLab(c)
	wantError(t, err, "this CLIP does not know")
}
