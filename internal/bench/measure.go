package bench

import (
	"context"
	"slices"
	"time"
)

// Times are how long the repetitions of one piece of work took, in seconds.
type Times struct {
	Median float64   `json:"median_s"`
	Best   float64   `json:"best_s"`
	All    []float64 `json:"all_s"`
}

// Effort is how often work is repeated: so many times, at least, and until so
// much time has passed.
type Effort struct {
	Repeat int
	For    time.Duration
}

// measure times work after one run that does not count.
func measure(ctx context.Context, e Effort, work func() error) (Times, error) {
	var t Times
	if err := work(); err != nil {
		return t, err
	}
	begin := time.Now()
	for len(t.All) < max(e.Repeat, 1) || time.Since(begin) < e.For {
		if err := ctx.Err(); err != nil {
			return t, err
		}
		start := time.Now()
		if err := work(); err != nil {
			return t, err
		}
		t.All = append(t.All, time.Since(start).Seconds())
	}
	t.sum()
	return t, nil
}

func (t *Times) sum() { t.Median, t.Best = median(t.All), slices.Min(t.All) }

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
