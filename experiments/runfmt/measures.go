package runfmt

// Measure is a number that a protocol has: the field of Result that holds it
// ("base", "novel" or "hm"), and the name that a reader knows it under.
type Measure struct{ Metric, Name string }

// Measures are the numbers of a protocol; the last ranks methods. Protocols without
// halves keep theirs in the same fields (see Result).
func Measures(protocol string) []Measure {
	switch protocol {
	case "few-shot", "zero-shot":
		return []Measure{{"base", "accuracy"}}
	case "cross-dataset", "domain-generalization":
		return []Measure{{"base", "source"}, {"novel", "targets"}, {"hm", "HM"}}
	}
	return []Measure{{"base", "base"}, {"novel", "novel"}, {"hm", "HM"}}
}
