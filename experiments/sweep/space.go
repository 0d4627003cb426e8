// Package sweep turns one configuration and lists, ranges and pairs of values
// into trials, and their finished runs into a leaderboard, the effect of each
// key, and plots. It starts nothing: see package launch.
package sweep

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Setting is one key with the text of its value, as in key=value.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// String is the setting as a command line has it.
func (s Setting) String() string { return s.Key + "=" + s.Value }

// Axis is one dimension of the space: keys that move together, through a list
// of values or, if there is none, over an interval.
type Axis struct {
	Keys   []string
	Values [][]string // [n][len(Keys)]
	Interval
}

// Interval is a continuous axis of one key; of a logarithmic one every decade
// is as likely as the other.
type Interval struct {
	Low, High float64
	Log       bool
}

func (a Axis) continuous() bool { return a.Values == nil }

// Space is what a sweep moves through.
type Space struct {
	Fixed []Setting // overrides of every trial
	Axes  []Axis
}

// Point is one place in the space: a setting for each key of each axis.
type Point []Setting

// String is the point's settings, with spaces between.
func (p Point) String() string {
	var parts []string
	for _, s := range p {
		parts = append(parts, s.String())
	}
	return strings.Join(parts, " ")
}

// Overrides are the point's settings behind the space's fixed ones, for
// experiments.Load.
func (s Space) Overrides(p Point) []string {
	var all []string
	for _, x := range slices.Concat(s.Fixed, p) {
		all = append(all, x.String())
	}
	return all
}

// Keys are the keys that move, in the order of the axes.
func (s Space) Keys() []string {
	var keys []string
	for _, a := range s.Axes {
		keys = append(keys, a.Keys...)
	}
	return keys
}

// Parse reads arguments of the form
//
//	key=value             for every trial
//	key=a,b,c             a list; a comma within [], {}, () or quotes belongs to a value
//	key=range(0,1,0.1)    from 0 to 1 in steps, both ends included
//	key=range(0,1)        anywhere between (not on a grid)
//	key=log(1e-4,1e-1)    anywhere between, every decade as likely (not on a grid)
//
// and zips, each "k1,k2": lists of one length that move together.
func Parse(args, zips []string) (Space, error) {
	var s Space
	seen := map[string]bool{}
	for _, arg := range args {
		key, text, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return Space{}, fmt.Errorf("%q: want key=value, key=a,b,c or key=range(low,high,step)", arg)
		}
		if seen[key] {
			return Space{}, fmt.Errorf("%s: is there twice", key)
		}
		seen[key] = true
		axis, err := parseAxis(key, text)
		if err != nil {
			return Space{}, fmt.Errorf("%s: %w", arg, err)
		}
		switch {
		case len(axis.Values) == 1:
			s.Fixed = append(s.Fixed, Setting{key, axis.Values[0][0]})
		case key == "seed":
			return Space{}, fmt.Errorf("%s: seeds are not swept but averaged over; use --seeds", arg)
		default:
			s.Axes = append(s.Axes, axis)
		}
	}
	for _, zip := range zips {
		if err := s.zip(strings.Split(zip, ",")); err != nil {
			return Space{}, fmt.Errorf("--zip %s: %w", zip, err)
		}
	}
	return s, nil
}

func parseAxis(key, text string) (Axis, error) {
	axis := Axis{Keys: []string{key}}
	var err error
	name, inner, call := strings.Cut(text, "(")
	if call && (name == "range" || name == "log") && strings.HasSuffix(inner, ")") {
		values, interval, err := parseRange(name, strings.Split(strings.TrimSuffix(inner, ")"), ","))
		if err != nil {
			return Axis{}, err
		}
		axis.Interval = interval
		for _, v := range values {
			axis.Values = append(axis.Values, []string{v})
		}
		return axis, nil
	}
	values, err := splitList(text)
	for _, v := range values {
		axis.Values = append(axis.Values, []string{v})
	}
	return axis, err
}

// zip makes one axis of the named ones, in the place of the first.
func (s *Space) zip(keys []string) error {
	if len(keys) < 2 {
		return fmt.Errorf("want at least two keys, such as train.lr,train.batch")
	}
	var one Axis
	first := -1
	for _, key := range keys {
		i := slices.IndexFunc(s.Axes, func(a Axis) bool { return slices.Contains(a.Keys, key) })
		if i < 0 {
			return fmt.Errorf("%s has no list of values", key)
		}
		axis := s.Axes[i]
		switch {
		case len(axis.Keys) > 1:
			return fmt.Errorf("%s is in another --zip", key)
		case axis.continuous():
			return fmt.Errorf("%s has no list of values but an interval", key)
		case first < 0:
			one = Axis{Values: make([][]string, len(axis.Values))}
			first = i
		case len(axis.Values) != len(one.Values):
			return fmt.Errorf("%s has %d values, %s has %d", one.Keys[0], len(one.Values), key, len(axis.Values))
		}
		one.Keys = append(one.Keys, key)
		for n, v := range axis.Values {
			one.Values[n] = append(one.Values[n], v[0])
		}
		if i != first {
			s.Axes = slices.Delete(s.Axes, i, i+1)
			if i < first {
				first--
			}
		}
	}
	s.Axes[first] = one
	return nil
}

// ParseSeeds reads "1-3", "1,4" or "1-3,7".
func ParseSeeds(text string) ([]int, error) {
	var seeds []int
	for _, part := range strings.Split(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		low, err := strconv.Atoi(from)
		high := low
		if err == nil && isRange {
			high, err = strconv.Atoi(to)
		}
		if err != nil || low < 0 || high < low || high-low >= maxValues {
			return nil, fmt.Errorf("found %q, want seeds such as 1-3 or 1,4", text)
		}
		for seed := low; seed <= high; seed++ {
			if slices.Contains(seeds, seed) {
				return nil, fmt.Errorf("seed %d is there twice", seed)
			}
			seeds = append(seeds, seed)
		}
	}
	return seeds, nil
}
