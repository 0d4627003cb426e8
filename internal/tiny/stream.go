package tiny

// Purposes keep the streams of random numbers apart.
const (
	forPretraining = iota + 1
	forValidation
	forTasks
)

// plainScene is what pretraining shows, before any style.
func plainScene(t Triple, background int) scene {
	return scene{
		object: t, background: background,
		fragments: [2]int{1, 5}, radius: [2]float64{8, 16}, fragmentRadius: [2]float64{2.5, 5}, rotation: .35,
		look: newLook(nil, 0, [3]float64{1, 1, 1}),
	}
}

// PretrainExample is example i of the endless pretraining stream of a seed: a
// picture of a triple out of Train and its caption.
func PretrainExample(seed, i uint64) (Image, string) {
	r := newRandom(forPretraining, seed, i)
	t := train[r.below(len(train))]
	background, style := r.below(len(backgrounds)), 0
	if !r.chance(.4) {
		style = 1 + r.below(len(styles)-1)
	}
	s := plainScene(t, background)
	s.look = newLook(styles[style:style+1], 1, [3]float64{1, 1, 1})
	image, radius := s.render(r.split())
	return image, caption(t, background, style, radius, r.split())
}

// RenderHeld is picture i of the held-out triple i mod 96 in the manner of
// pretraining, without a style, and the triple's index in Held.
func RenderHeld(seed uint64, i int) (Image, int) {
	r := newRandom(forValidation, seed, uint64(i))
	label := i % len(held)
	image, _ := plainScene(held[label], r.below(len(backgrounds))).render(r.split())
	return image, label
}
