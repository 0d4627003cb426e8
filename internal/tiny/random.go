package tiny

import "math/bits"

// random is the generator splitmix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", 2014).
type random struct{ state uint64 }

const increment = 0x9E3779B97F4A7C15 // 2^64 / golden ratio, splitmix64's increment

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// newRandom is the stream of a key; different keys give unrelated streams.
func newRandom(key ...uint64) *random {
	var state uint64
	for _, k := range key {
		state = mix(state+increment) ^ mix(k+increment)
	}
	return &random{mix(state)}
}

// hashText turns text into part of a key (FNV-1a, 64 bits).
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// split is a stream of its own, so that what one part of a picture draws does
// not move the draws of the next.
func (r *random) split() *random { return newRandom(r.next()) }

func (r *random) next() uint64 {
	r.state += increment
	return mix(r.state)
}

// below is uniform over 0 … n-1.
func (r *random) below(n int) int {
	high, _ := bits.Mul64(r.next(), uint64(n))
	return int(high)
}

// unit is uniform over [0, 1) in steps of 2^-53.
func (r *random) unit() float64 { return float64(float64(r.next()>>11) * 0x1p-53) }

// between is uniform over [low, high).
func (r *random) between(low, high float64) float64 {
	return low + float64((high-low)*r.unit())
}

// chance is true with probability p.
func (r *random) chance(p float64) bool { return r.unit() < p }

// Four uniform 16-bit numbers have this mean and this standard deviation, sqrt((2^32 - 1) / 3).
const (
	sumMean  = 4 * 65535 / 2.
	sumSigma = 37837.22707910
)

// normal is a standard normal number as far as looks need it: the sum of four
// uniform ones from one word. Its tails end at 3.5.
func (r *random) normal() float64 {
	w := r.next()
	sum := w&0xFFFF + w>>16&0xFFFF + w>>32&0xFFFF + w>>48
	return (float64(sum) - sumMean) / sumSigma
}
