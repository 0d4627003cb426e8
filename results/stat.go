package results

import (
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Stat is a mean over N values and their standard deviation (N-1 in the
// denominator), 0 for a single value.
type Stat struct {
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
	N    int     `json:"n"`
}

func newStat(values []float64) Stat {
	if len(values) < 2 {
		return Stat{Mean: stat.Mean(values, nil), N: len(values)}
	}
	mean, std := stat.MeanStdDev(values, nil)
	return Stat{Mean: mean, Std: std, N: len(values)}
}

// Interval is the mean of paired differences and its 95% bootstrap interval.
// With a single pair there is no interval: Low = High = Mean.
type Interval struct {
	Mean  float64 `json:"mean"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Pairs int     `json:"pairs"`
}

// Draws is the number of samples of the bootstrap.
const Draws = 10_000

// Bootstrap is the percentile interval of the mean of diffs (Efron 1979): of
// Draws samples with replacement, as large as diffs, the 2.5% and 97.5%
// quantiles of the mean. The generator's seed is fixed, so that the same
// differences have the same interval.
func Bootstrap(diffs []float64) Interval {
	iv := Interval{Mean: stat.Mean(diffs, nil), Pairs: len(diffs)}
	iv.Low, iv.High = iv.Mean, iv.Mean
	if len(diffs) < 2 {
		return iv
	}
	rng := rand.New(rand.NewPCG(1, 2))
	means := make([]float64, Draws)
	for i := range means {
		sum := 0.
		for range diffs {
			sum += diffs[rng.IntN(len(diffs))]
		}
		means[i] = sum / float64(len(diffs))
	}
	slices.Sort(means)
	iv.Low = stat.Quantile(.025, stat.LinInterp, means, nil)
	iv.High = stat.Quantile(.975, stat.LinInterp, means, nil)
	return iv
}
