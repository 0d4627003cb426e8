package tiny

import "math"

// The order of shapes.
const (
	circle = iota
	square
	triangle
	diamond
	cross
	ring
	star
	heart
	moon
	arrow
	bow
	flower
)

// reach is the largest distance from the centre, in radii, at which any shape has ink.
const reach = 1.16

// distance is the signed distance from (u, v) to the edge of a shape, or
// something that looks like it near the edge: negative inside, in units of the
// shape's radius, v downwards.
func distance(shape int, u, v float64) float64 {
	au, av := math.Abs(u), math.Abs(v)
	switch shape {
	case circle:
		return length(u, v) - .85
	case square:
		return max(au, av) - .75
	case triangle:
		return max(float64(au*.866)-float64(v*.5), v) - .5
	case diamond:
		return float64((float64(au*(1/.6)) + av - 1) * .51)
	case cross:
		return min(max(au-.95, av-.3), max(au-.3, av-.95))
	case ring:
		return math.Abs(length(u, v)-.68) - .22
	case star:
		return starDistance(au, -v)
	case heart:
		return heartDistance(float64(u*1.15), .15-float64(v*1.15))
	case moon:
		return max(length(u, v)-.9, .72-length(u-.42, v))
	case arrow:
		head := max(float64(av*.75)+float64(u*.66)-.62, -u, u-1)
		shaft := max(math.Abs(u+.4)-.5, av-.22)
		return min(head, shaft)
	case bow:
		return max(float64(av*.85)-float64(au*.62)-.04, au-.9)
	default:
		return flowerDistance(u, v)
	}
}

func length(x, y float64) float64 { return math.Sqrt(float64(x*x) + float64(y*y)) }

// Cosine and sine of a tenth and of a fifth of a turn.
const (
	cos36, sin36 = math.Phi / 2, .58778525229247312917
	cos72, sin72 = (math.Phi - 1) / 2, .95105651629515357212
)

// Inner corner of the star with its tip at (1, 0), and the length of the edge between the two.
const starX, starY = .42 * cos36, .42 * sin36

var starEdge = length(starX-1, starY)

// starDistance is for a point seen from the first tip: x along it, y >= 0 across.
func starDistance(y, x float64) float64 {
	for range 2 { // fold the half turn into the half wedge of one tip
		if float64(y*cos36) > float64(x*sin36) {
			x, y = float64(x*cos72)+float64(y*sin72), float64(x*sin72)-float64(y*cos72)
		}
		y = math.Abs(y)
	}
	return (float64((x-1)*starY) + float64(y*(1-starX))) / starEdge
}

// heartDistance takes the heart curve's (x^2 + y^2 - a)^3 = b x^2 y^3 back to the order of a length.
func heartDistance(x, y float64) float64 {
	xx, yy := float64(x*x), float64(y*y)
	a := xx + yy - .62
	f := float64(float64(a*a)*a) - float64(float64(float64(xx*yy)*y)*1.6)
	return float64(cubeRoot(f) * .55)
}

// flowerDistance has five petals: the radius is .62 + .3 cos 5θ.
func flowerDistance(u, v float64) float64 {
	r := length(u, v)
	if r < 1e-6 {
		return -.62 * .7
	}
	c := -v / r // cos θ, and Chebyshev's polynomial gives cos 5θ
	q := float64(c * c)
	cos5 := float64(c * (float64(q*(float64(q*16)-20)) + 5))
	return float64((r - .62 - float64(cos5*.3)) * .7)
}
