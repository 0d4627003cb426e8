package tiny

import "math"

// The standard library's sine, exponential and cube root differ between
// platforms in the last bit. These do not, and they are exact enough for pixels.
// Square root, floor, absolute value, min and max are exact everywhere.

// sine is the sine of an angle in turns, to 1e-7.
func sine(turns float64) float64 {
	t := turns - math.Floor(turns+.5) // [-1/2, 1/2]
	switch {
	case t > .25:
		t = .5 - t
	case t < -.25:
		t = -.5 - t
	}
	// Taylor's series; constants are exact until they are stored.
	const x = 2 * math.Pi
	const (
		c1  = x
		c3  = -x * x * x / 6
		c5  = x * x * x * x * x / 120
		c7  = -x * x * x * x * x * x * x / 5040
		c9  = x * x * x * x * x * x * x * x * x / 362880
		c11 = -x * x * x * x * x * x * x * x * x * x * x / 39916800
	)
	q := float64(t * t)
	p := float64(q*c11) + c9
	p = float64(q*p) + c7
	p = float64(q*p) + c5
	p = float64(q*p) + c3
	p = float64(q*p) + c1
	return float64(t * p)
}

// cosine is the cosine of an angle in turns, to 1e-7.
func cosine(turns float64) float64 { return sine(turns + .25) }

// exponential is e^x for x in [-32, 32], to a relative 1e-9.
func exponential(x float64) float64 {
	// e^x = (e^(x/256))^256, and Taylor's series is short that near to 0.
	x /= 256
	sum, term := 1., 1.
	for k := 1; k <= 8; k++ {
		term = float64(term*x) / float64(k)
		sum += term
	}
	for range 8 {
		sum = float64(sum * sum)
	}
	return sum
}

// cubeRoot is the real cube root, to a relative 1e-9.
func cubeRoot(x float64) float64 {
	a := math.Abs(x)
	if a < 0x1p-500 {
		return 0
	}
	// A third of the bits is a third of the exponent: within 6% of the root.
	const bias = 0x2A9F7893782DA1CE
	t := math.Float64frombits(math.Float64bits(a)/3 + bias)
	for range 3 { // Halley's method triples the digits
		c := float64(float64(t*t) * t)
		t = float64(t * (c + a + a) / (c + c + a))
	}
	return math.Copysign(t, x)
}

func clamp01(x float64) float64 { return min(max(x, 0), 1) }
