package tiny

import (
	"math"
	"testing"
)

// The folded star and the polynomial of the flower are what angles would give.
func TestStarAndFlowerByAngle(t *testing.T) {
	const wedge = 2 * math.Pi / 5
	r := newRandom(3)
	for range 10000 {
		u, v := r.between(-1.2, 1.2), r.between(-1.2, 1.2)
		angle, radius := math.Atan2(u, -v), math.Hypot(u, v)

		a := math.Abs(math.Remainder(angle, wedge))
		x, y := radius*math.Cos(a), radius*math.Sin(a)
		ex, ey := .42*math.Cos(wedge/2)-1, .42*math.Sin(wedge/2)
		want := ((x-1)*ey - y*ex) / math.Hypot(ex, ey)
		if got := distance(star, u, v); math.Abs(got-want) > 1e-9 {
			t.Fatalf("star at (%v, %v): %v, want %v", u, v, got, want)
		}
		want = (radius - (.62 + .3*math.Cos(5*angle))) * .7
		if got := distance(flower, u, v); math.Abs(got-want) > 1e-9 {
			t.Fatalf("flower at (%v, %v): %v, want %v", u, v, got, want)
		}
	}
}

func TestShapesEndWithinReach(t *testing.T) {
	for shape, name := range shapes {
		inside := 0
		for i := range 200 * 200 {
			u, v := float64(i%200-100)/50, float64(i/200-100)/50
			d := distance(shape, u, v)
			if math.IsNaN(d) {
				t.Fatalf("%s at (%v, %v): %v", name, u, v, d)
			}
			if d < 0 {
				inside++
			}
			// An edge is soft for half a pixel, which reach leaves aside and paint adds.
			if d <= 0 && math.Hypot(u, v) > reach {
				t.Errorf("%s has ink at (%v, %v), beyond its reach", name, u, v)
			}
		}
		if area := float64(inside) / 2500; area < .5 || area > 2.4 {
			t.Errorf("%s: area %.2f radius^2", name, area)
		}
	}
}

// The holes and tips by which one tells the shapes apart.
func TestShapesHaveTheirFeatures(t *testing.T) {
	for _, p := range []struct {
		shape  int
		u, v   float64
		inside bool
	}{
		{circle, .62, .62, false}, {square, .7, .7, true}, {triangle, 0, -.9, true}, {triangle, 0, .6, false},
		{diamond, 0, .95, true}, {diamond, .65, 0, false}, {cross, .9, 0, true}, {cross, .6, .6, false},
		{ring, 0, 0, false}, {ring, .68, 0, true}, {star, 0, -.95, true}, {star, 0, .5, false},
		{heart, 0, .7, true}, {heart, 0, -.75, false}, {heart, .4, -.5, true}, {moon, -.6, 0, true}, {moon, .5, 0, false},
		{arrow, .9, 0, true}, {arrow, -.8, 0, true}, {arrow, -.8, .5, false}, {bow, .8, .5, true}, {bow, 0, .2, false},
		{flower, 0, -.9, true}, {flower, 0, .5, false},
	} {
		if got := distance(p.shape, p.u, p.v) < 0; got != p.inside {
			t.Errorf("%s at (%v, %v): inside is %v", shapes[p.shape], p.u, p.v, got)
		}
	}
}
