// Package tiny is the program's embedded default: a world of small rendered
// pictures whose truth is known, and a small CLIP that was pretrained on it.
//
// A picture shows one object (a shape, a colour, a pattern) on a background with
// fragments of other objects as distractors. It is a function of a few integers:
// the same bytes on every platform and for any number of threads. To keep that
// promise every product that is added to something is rounded first, by an
// explicit float64(x*y): without it the compiler may fuse the two on some
// platforms and not on others. A test reads the sources for products left bare.
package tiny

import "slices"

// Sizes of a picture, in pixels and in patches.
const (
	Size  = 64           // width and height of a picture
	Patch = 8            // width and height of a patch
	Grid  = Size / Patch // patches a side
)

// Image is one rendered picture.
type Image struct {
	RGB  []uint8   // [Size, Size, 3], row by row
	Mask []float32 // [Grid*Grid], the share of each patch that the object covers, 0 to 1
}

var (
	shapes      = []string{"circle", "square", "triangle", "diamond", "cross", "ring", "star", "heart", "moon", "arrow", "bow", "flower"}
	colours     = []string{"red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink"}
	patterns    = []string{"plain", "striped", "dotted", "checkered"}
	backgrounds = []string{"grass", "sand", "water", "brick", "snow", "night"}
)

// colourRGB is the mean colour of an object, in the order of colours.
var colourRGB = [][3]float64{
	{.88, .12, .12}, {.97, .55, .08}, {.95, .90, .12}, {.12, .68, .20},
	{.10, .82, .85}, {.14, .25, .88}, {.52, .16, .72}, {.98, .50, .75},
}

// Triple is one kind of object, by index into the world's shapes, colours and patterns.
type Triple struct{ Shape, Colour, Pattern int }

// String is the class name, such as "striped red star".
func (t Triple) String() string {
	return patterns[t.Pattern] + " " + colours[t.Colour] + " " + shapes[t.Shape]
}

// splitSeed fixes which quarter of the triples pretraining never sees.
const splitSeed = 7

var held, train = splitTriples()

func splitTriples() (held, train []Triple) {
	var all []Triple
	for s := range shapes {
		for c := range colours {
			for p := range patterns {
				all = append(all, Triple{s, c, p})
			}
		}
	}
	mixed := shuffled(all, splitSeed)
	for _, t := range all {
		if slices.Index(mixed, t) < len(all)/4 {
			held = append(held, t)
		} else {
			train = append(train, t)
		}
	}
	return held, train
}

// shuffled is a permutation of items that depends on the seed alone.
func shuffled[T any](items []T, seed uint64) []T {
	items = slices.Clone(items)
	r := newRandom(seed)
	for i := len(items) - 1; i > 0; i-- {
		j := r.below(i + 1)
		items[i], items[j] = items[j], items[i]
	}
	return items
}

// Held are the 96 triples that pretraining never sees, a fixed quarter of all.
func Held() []Triple { return slices.Clone(held) }

// Train are the other 288 triples.
func Train() []Triple { return slices.Clone(train) }
