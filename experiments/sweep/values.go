package sweep

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// maxValues bounds what a mistyped step or seed could ask for.
const maxValues = 10_000

// splitList splits at the commas that are outside of brackets and quotes.
func splitList(text string) ([]string, error) {
	var values []string
	var open []rune // the brackets and the quote that are still to be closed
	start := 0
	closer := map[rune]rune{'[': ']', '{': '}', '(': ')', '"': '"', '\'': '\''}
	for i, r := range text {
		switch {
		case len(open) > 0 && r == open[len(open)-1]:
			open = open[:len(open)-1]
		case len(open) > 0 && (open[len(open)-1] == '"' || open[len(open)-1] == '\''): // within quotes all else is text
		case closer[r] != 0:
			open = append(open, closer[r])
		case r == ',' && len(open) == 0:
			values = append(values, text[start:i])
			start = i + 1
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("%q is never closed", open[len(open)-1])
	}
	values = append(values, text[start:])
	for i, v := range values {
		if values[i] = strings.TrimSpace(v); values[i] == "" {
			return nil, fmt.Errorf("value %d of %d is empty", i+1, len(values))
		}
	}
	return values, nil
}

// parseRange reads the arguments of range() and log(): values, or an interval.
func parseRange(name string, args []string) ([]string, Interval, error) {
	if len(args) != 2 && (name != "range" || len(args) != 3) {
		return nil, Interval{}, fmt.Errorf("want range(low,high,step), range(low,high) or log(low,high)")
	}
	numbers := make([]*big.Rat, len(args))
	for i, text := range args {
		args[i] = strings.TrimSpace(text)
		n, ok := new(big.Rat).SetString(args[i])
		if _, err := strconv.ParseFloat(args[i], 64); err != nil || !ok { // a Rat may also be 1/3, a float also inf
			return nil, Interval{}, fmt.Errorf("%q is no number", args[i])
		}
		numbers[i] = n
	}
	low, high := numbers[0], numbers[1]
	if low.Cmp(high) >= 0 {
		return nil, Interval{}, fmt.Errorf("found %s to %s, want low < high", args[0], args[1])
	}
	if len(args) == 2 {
		interval := Interval{Log: name == "log"}
		interval.Low, _ = low.Float64()
		interval.High, _ = high.Float64()
		if interval.Log && interval.Low <= 0 {
			return nil, Interval{}, fmt.Errorf("found %s, want low above 0", args[0])
		}
		return nil, interval, nil
	}
	values, err := steps(low, high, numbers[2])
	return values, Interval{}, err
}

// steps counts in exact fractions, so that the end is met and no value is
// written 0.30000000000000004.
func steps(low, high, step *big.Rat) ([]string, error) {
	if step.Sign() <= 0 {
		return nil, fmt.Errorf("found step %s, want it above 0", step.RatString())
	}
	var values []string
	for x := new(big.Rat).Set(low); x.Cmp(high) <= 0; x.Add(x, step) {
		if len(values) == maxValues {
			return nil, fmt.Errorf("more than %d values", maxValues)
		}
		if x.IsInt() {
			values = append(values, x.RatString())
			continue
		}
		f, _ := x.Float64() // the nearest, whose shortest text is the decimal itself
		values = append(values, strconv.FormatFloat(f, 'g', -1, 64))
	}
	return values, nil
}
