package tiny

import (
	"slices"
	"strings"
)

// How a caption may begin; a styled picture mostly takes a styled beginning.
var (
	beginnings = []string{"a photo of", "a picture of", "an image of", "there is", "this is", "", "a photo showing", "look at"}
	mediums    = []string{"photo", "picture", "image"}
)

// Objects below or above these radii may be called small or large.
const smallBelow, largeAbove = 10, 14

// caption describes a picture; attributes are left out at random, so that a
// model learns each by itself.
func caption(t Triple, background, style int, radius float64, r *random) string {
	beginning := beginnings[r.below(len(beginnings))]
	if style > 0 && r.chance(.85) {
		beginning = "a " + styles[style] + " " + mediums[r.below(len(mediums))] + " of"
	}
	words := append(strings.Fields(beginning), "a")
	switch {
	case radius < smallBelow && r.chance(.5):
		words = append(words, "small")
	case radius > largeAbove && r.chance(.5):
		words = append(words, "large")
	}
	if (t.Pattern != plain || r.chance(.5)) && r.chance(.92) {
		words = append(words, patterns[t.Pattern])
	}
	if r.chance(.95) {
		words = append(words, colours[t.Colour])
	}
	words = append(words, shapes[t.Shape])
	if r.chance(.5) {
		words = append(words, "on")
		if r.chance(.3) {
			words = append(words, "the")
		}
		words = append(words, backgrounds[background])
	}
	return strings.Join(words, " ")
}

// Words are all words, sorted, of captions, class names and the prompt "a photo of a".
func Words() []string {
	words := slices.Concat([]string{"a", "small", "large", "on", "the"}, mediums, shapes, colours, patterns, backgrounds, styles[1:])
	for _, b := range beginnings {
		words = append(words, strings.Fields(b)...)
	}
	slices.Sort(words)
	return slices.Compact(words)
}
