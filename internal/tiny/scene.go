package tiny

import "math"

// scene is a distribution of pictures of one object.
type scene struct {
	object         Triple
	background     int
	fragments      [2]int     // least and largest number of distractors
	radius         [2]float64 // of the object, pixels
	fragmentRadius [2]float64 // pixels
	rotation       float64    // of the object, largest in radians
	look           look
}

// render draws one picture; radius is the object's.
func (s scene) render(r *random) (picture Image, radius float64) {
	c := canvases.Get().(*canvas)
	defer canvases.Put(c)

	layout, clutter, paint, film := r.split(), r.split(), r.split(), r.split()
	c.paintBackground(s.background, r.split())
	for range s.fragments[0] + clutter.below(s.fragments[1]-s.fragments[0]+1) {
		c.paint(object{
			Triple:   Triple{clutter.below(len(shapes)), clutter.below(len(colours)), clutter.below(len(patterns))},
			x:        clutter.between(0, Size),
			y:        clutter.between(0, Size),
			radius:   clutter.between(s.fragmentRadius[0], s.fragmentRadius[1]),
			rotation: clutter.unit(),
		}, clutter, nil)
	}

	radius = layout.between(s.radius[0], s.radius[1])
	margin := float64(.9 * radius) // all but the tips stay inside
	var cover coverage
	c.paint(object{
		Triple:   s.object,
		x:        layout.between(margin, Size-margin),
		y:        layout.between(margin, Size-margin),
		radius:   radius,
		rotation: layout.between(-s.rotation, s.rotation) / (2 * math.Pi),
	}, paint, &cover)
	return Image{RGB: c.develop(s.look, film), Mask: cover.mask()}, radius
}
