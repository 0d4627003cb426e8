package sweep

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// The strategies. There is no TPE: the one Go library that has it,
// github.com/c-bata/goptuna, was last released in 2023; its TPE draws from a
// generator that cannot be seeded, so that a sweep could not be gone on with,
// and its densities lack the squares and sums of the method (Bergstra et al.,
// 2011).
const (
	Grid   = "grid"   // every combination
	Random = "random" // points drawn at random, none twice
	Latin  = "latin"  // Latin hypercube (McKay et al., 1979): each axis evenly covered
)

// Strategies are the names that Points knows.
var Strategies = []string{Grid, Random, Latin}

// Points are the places of the space that a strategy visits: at most budget, all
// of them if it is 0. The same arguments give the same points.
func (s Space) Points(strategy string, budget int, seed uint64) ([]Point, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	switch strategy {
	case Grid:
		return s.grid(budget)
	case Random, Latin:
		if budget < 1 {
			return nil, fmt.Errorf("--strategy %s: want --budget, the number of combinations to try", strategy)
		}
		if budget > maxValues {
			return nil, fmt.Errorf("--budget: found %d, want at most %d", budget, maxValues)
		}
		if strategy == Random {
			return s.random(budget, rng), nil
		}
		return s.latin(budget, rng), nil
	case "tpe":
		return nil, fmt.Errorf("--strategy tpe: no Go library of it is maintained; want one of %s, and --halving to stop early", strings.Join(Strategies, ", "))
	}
	return nil, fmt.Errorf("--strategy: %q is none of %s", strategy, strings.Join(Strategies, ", "))
}

func (s Space) grid(budget int) ([]Point, error) {
	size := 1
	for _, a := range s.Axes {
		if a.continuous() {
			return nil, fmt.Errorf("%s: a grid needs a step, as in range(low,high,step); or --strategy random", a.Keys[0])
		}
		if size *= len(a.Values); size > maxValues {
			return nil, fmt.Errorf("the grid has more than %d combinations; --strategy random tries some of them", maxValues)
		}
	}
	if budget > 0 && size > budget {
		return nil, fmt.Errorf("the grid has %d combinations, --budget is %d; --strategy random tries that many of them", size, budget)
	}
	points := make([]Point, size)
	for i := range points {
		shares := make([]float64, len(s.Axes))
		rest := i
		for j, a := range slices.Backward(s.Axes) { // the last axis moves fastest
			n := len(a.Values)
			shares[j] = (float64(rest%n) + .5) / float64(n)
			rest /= n
		}
		points[i] = s.at(shares)
	}
	return points, nil
}

// random draws points until there are n different ones. A finite space may have
// fewer: it is left at a number of draws by which all of it was met.
func (s Space) random(n int, rng *rand.Rand) []Point {
	var points []Point
	seen := map[string]bool{}
	for draws := 0; len(points) < n && draws < 100*n+1000; draws++ {
		shares := make([]float64, len(s.Axes))
		for j := range shares {
			shares[j] = rng.Float64()
		}
		p := s.at(shares)
		if key := p.String(); !seen[key] {
			seen[key] = true
			points = append(points, p)
		}
	}
	return points
}

// latin cuts each axis into n strata and puts one point into each.
func (s Space) latin(n int, rng *rand.Rand) []Point {
	shares := make([][]float64, n)
	for i := range shares {
		shares[i] = make([]float64, len(s.Axes))
	}
	for j := range s.Axes {
		for i, stratum := range rng.Perm(n) {
			shares[i][j] = (float64(stratum) + rng.Float64()) / float64(n)
		}
	}
	points := make([]Point, n)
	for i := range points {
		points[i] = s.at(shares[i])
	}
	return points
}

// at is the point that lies at these shares, 0 to 1, of the axes.
func (s Space) at(shares []float64) Point {
	var p Point
	for j, a := range s.Axes {
		if a.continuous() {
			p = append(p, Setting{a.Keys[0], a.Interval.at(shares[j])})
			continue
		}
		i := min(int(shares[j]*float64(len(a.Values))), len(a.Values)-1)
		for k, key := range a.Keys {
			p = append(p, Setting{key, a.Values[i][k]})
		}
	}
	return p
}

// at writes the value with four digits: enough to search by, short to read.
func (v Interval) at(share float64) string {
	x := v.Low + share*(v.High-v.Low)
	if v.Log {
		x = v.Low * math.Pow(v.High/v.Low, share)
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}
