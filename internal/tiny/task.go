package tiny

// Task is a data set of the world: a choice of triples as classes, and how their
// pictures are made.
type Task struct {
	Name string `yaml:"name"`
	Seed uint64 `yaml:"seed"` // of the pictures

	// The classes are Classes triples, from First on, of the pool in an order
	// that ClassSeed gives. The first half is base, the second novel.
	Pool      string `yaml:"pool"` // held or train
	ClassSeed uint64 `yaml:"class_seed"`
	First     int    `yaml:"first"`
	Classes   int    `yaml:"classes"`

	Fragments      [2]int     `yaml:"fragments"`       // least and largest number of distractors
	ObjectRadius   [2]float64 `yaml:"object_radius"`   // pixels
	FragmentRadius [2]float64 `yaml:"fragment_radius"` // pixels
	Rotation       float64    `yaml:"rotation"`        // of the object, at most, radians

	Styles   []string   `yaml:"styles,omitempty"`   // of blurry, dark, noisy, faded
	Strength float64    `yaml:"strength,omitempty"` // of the styles; 1 as in pretraining
	Cast     [3]float64 `yaml:"cast"`               // scale of red, green and blue
}

// pools are the triples that a task's classes may come from.
var pools = map[string][]Triple{"held": held, "train": train}

// triples are the classes in label order.
func (t Task) triples() []Triple {
	return shuffled(pools[t.Pool], t.ClassSeed)[t.First : t.First+t.Classes]
}

// ClassNames are in label order; the first half is base, the second novel.
func (t Task) ClassNames() []string {
	var names []string
	for _, triple := range t.triples() {
		names = append(names, triple.String())
	}
	return names
}

// Render draws picture index of a class (a label, below Classes) for a split such
// as "train" and a run's seed. It depends on its arguments and the task's numbers
// alone, and is safe for concurrent use.
func (t Task) Render(split string, seed uint64, class, index int) Image {
	r := newRandom(forTasks, t.Seed, hashText(split), seed, uint64(class), uint64(index))
	image, _ := scene{
		object:         t.triples()[class],
		background:     r.below(len(backgrounds)),
		fragments:      t.Fragments,
		radius:         t.ObjectRadius,
		fragmentRadius: t.FragmentRadius,
		rotation:       t.Rotation,
		look:           newLook(t.Styles, t.Strength, t.Cast),
	}.render(r.split())
	return image
}
