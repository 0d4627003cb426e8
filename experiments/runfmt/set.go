package runfmt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Set is one set of classes that a run was tested on. Accuracies and shares are
// in percent.
type Set struct {
	// Name is "base", "novel", "all", or the data set of a target.
	Name    string  `json:"name"`
	Classes int     `json:"classes"`
	Images  int     `json:"images"`
	Top1    float64 `json:"top1"`
	// Top5 is absent where there are no more than five classes.
	Top5  *float64 `json:"top5,omitempty"`
	Macro float64  `json:"macro"` // mean over the classes of each one's accuracy
	// ECE is the expected calibration error (Guo et al., arXiv 1706.04599, eq. 3)
	// of the likeliest class's probability, in ECEBins bins of equal width.
	ECE float64 `json:"ece"`
	// ZeroShot is the accuracy of CLIP with hand-written prompts on the same images.
	ZeroShot float64 `json:"zero_shot"`
	// NaN is how many images have a logit that is not a number.
	NaN int `json:"nan,omitempty"`
	// Names are the classes of a target, whose data set is not the run's own.
	Names []string `json:"names,omitempty"`
	// Confusion has a row for each true class.
	Confusion []Confusion `json:"confusion"`
}

// ECEBins is the number of bins of the calibration error.
const ECEBins = 15

// Confusion counts the images of one true class by predicted class. As text it
// is "class:count" of each that occurs, in the order of the classes.
type Confusion map[int]int

// MarshalText writes the row.
func (c Confusion) MarshalText() ([]byte, error) {
	var classes []int
	for class := range c {
		classes = append(classes, class)
	}
	slices.Sort(classes)
	words := make([]string, len(classes))
	for i, class := range classes {
		words[i] = fmt.Sprintf("%d:%d", class, c[class])
	}
	return []byte(strings.Join(words, " ")), nil
}

// UnmarshalText reads the row.
func (c *Confusion) UnmarshalText(text []byte) error {
	*c = Confusion{}
	for _, word := range strings.Fields(string(text)) {
		left, right, _ := strings.Cut(word, ":")
		class, err := strconv.Atoi(left)
		count, err2 := strconv.Atoi(right)
		if err != nil || err2 != nil || class < 0 || count < 1 {
			return fmt.Errorf("confusion: found %q, want class:count", word)
		}
		(*c)[class] = count
	}
	return nil
}

// check wants a set whose parts fit each other.
func (s Set) check() error {
	if s.Images < 0 || len(s.Confusion) != s.Classes {
		return fmt.Errorf("set %s: %d images, %d rows of confusion for %d classes", s.Name, s.Images, len(s.Confusion), s.Classes)
	}
	if len(s.Names) > 0 && len(s.Names) != s.Classes {
		return fmt.Errorf("set %s: %d names for %d classes", s.Name, len(s.Names), s.Classes)
	}
	n := 0
	for i, row := range s.Confusion {
		for class, count := range row {
			if class >= s.Classes {
				return fmt.Errorf("set %s: confusion: class %d of row %d, want at most %d", s.Name, class, i, s.Classes-1)
			}
			n += count
		}
	}
	if n != s.Images {
		return fmt.Errorf("set %s: confusion counts %d images of %d", s.Name, n, s.Images)
	}
	for name, v := range map[string]float64{"top1": s.Top1, "macro": s.Macro, "ece": s.ECE, "zero_shot": s.ZeroShot} {
		if !(v >= 0 && v <= 100) {
			return fmt.Errorf("set %s: %s is %g, want a percentage", s.Name, name, v)
		}
	}
	return nil
}

// Set is the set of that name.
func (r Result) Set(name string) (Set, bool) {
	i := slices.IndexFunc(r.Sets, func(s Set) bool { return s.Name == name })
	if i < 0 {
		return Set{}, false
	}
	return r.Sets[i], true
}

// ClassNames are the names of a set's classes, nil where the result does not tell.
func (r Result) ClassNames(s Set) []string {
	classes := r.Classes
	switch {
	case s.Names != nil:
		return s.Names
	case s.Name == "base":
		classes = classes[:min(r.BaseClasses, len(classes))]
	case s.Name == "novel":
		classes = classes[min(r.BaseClasses, len(classes)):]
	}
	if len(classes) != s.Classes {
		return nil
	}
	names := make([]string, len(classes))
	for i, c := range classes {
		names[i] = c.Name
	}
	return names
}

// CollapsePoints is how far below zero-shot a run is that has collapsed.
const CollapsePoints = 20

// Collapsed says what is wrong with a run that is far below zero-shot (its HM,
// CollapsePoints below that of CLIP with hand-written prompts on the same
// images) or has logits that are not numbers; "" if nothing is. Runs of programs
// that did not test zero-shot beside are never said to have collapsed.
func (r Result) Collapsed() string {
	var zero []float64
	for _, s := range r.Sets {
		if s.NaN > 0 {
			return fmt.Sprintf("logits of %d of %d images are not numbers", s.NaN, s.Images)
		}
		if s.Name == "base" || s.Name == "novel" || s.Name == "all" {
			zero = append(zero, s.ZeroShot)
		}
	}
	reference := 0.
	switch len(zero) {
	case 1:
		reference = zero[0]
	case 2:
		reference = HarmonicMean(zero[0], zero[1])
	}
	score := r.HM
	if all, ok := r.Set("all"); ok {
		score = all.Top1
	}
	if score < reference-CollapsePoints {
		return fmt.Sprintf("%.1f, zero-shot %.1f", score, reference)
	}
	return ""
}
