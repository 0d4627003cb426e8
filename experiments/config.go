// Package experiments turns a YAML file into runs: the typed configuration, the
// protocols, the training loop and the run folders.
package experiments

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml"

	"spotlighter/experiments/methods"
	"spotlighter/graph/cuda"
	"spotlighter/internal/device"
	"spotlighter/spotlight"
	"spotlighter/textenc"
)

// Config is one experiment: a grid of methods, data sets and seeds under one
// protocol. Every value is explicit; start from Default.
type Config struct {
	// Protocol is one of Protocols: what is learned, and what is tested.
	Protocol string `yaml:"protocol"`
	// Method, Dataset and Seed span the grid; each is one value or a list.
	Method  List[string] `yaml:"method"`
	Dataset List[string] `yaml:"dataset"` // a task of the world, the path of a task's YAML, or a data set of image files
	Seed    List[int]    `yaml:"seed"`
	// Targets are the data sets that a method learned on Dataset is tested on: those
	// of the literature, unless the file says otherwise, for the protocols that have
	// them, and none for the others.
	Targets List[string] `yaml:"targets" json:",omitempty"` // the hash of a run without them stays

	Clip  Clip  `yaml:"clip"`
	Data  Data  `yaml:"data"`
	Shots int   `yaml:"shots"` // training images a class
	Train Train `yaml:"train"`

	Spotlight spotlight.Config `yaml:"spotlight"`
	Prune     Prune            `yaml:"prune" json:",omitzero"` // the hash of a run without it stays

	// Text switches what the text encoder saves.
	Text textenc.Options `yaml:"text" json:",omitzero"` // the hash of a run that saves all stays

	// Recipes are what single methods of the grid have otherwise than the rest.
	Recipes Recipes `yaml:"recipes,omitempty" json:"-"` // a run's own settings have them
	// Sections are the methods' own settings.
	Sections Sections `yaml:"-" json:",omitempty"`

	Out     string `yaml:"out"`     // folder of the run folders
	Threads int    `yaml:"threads"` // 0: all cores
	// Device is what computes: "cpu", "cuda" (the first card), "cuda:N", or "auto", a
	// card if there is one.
	Device string `yaml:"device" json:",omitempty"`
	Cuda   Cuda   `yaml:"cuda" json:",omitzero"`
	// Cache is where the frozen encoder's features stay between epochs: "memory",
	// "disk" (for other runs too), "off" (they are computed anew each time), or
	// "auto", memory if they fit.
	Cache string `yaml:"cache"`
	// CacheFolder is where cache: disk keeps them; "" is a folder of the user's cache.
	CacheFolder string `yaml:"cache_dir" json:",omitempty"`
	// CacheLimit is the most, in GiB, that all of that folder may take.
	CacheLimit float64 `yaml:"cache_limit" json:",omitempty"`
	// CacheFP16 stores features at half the size, rounded to 16 bits: within 1e-3 of
	// the largest, so that it can change a result.
	CacheFP16 bool `yaml:"cache_fp16" json:",omitempty"`
}

// Clip is the pretrained model. In YAML it is a mapping, or just the weights.
type Clip struct {
	Weights string `yaml:"weights"` // "tiny" (the embedded CLIP) or the path of a checkpoint
	// Unknown says what happens to token ids that a trimmed embedding lacks:
	// "error", or "random" (seeded embeddings).
	Unknown string `yaml:"unknown"`
	// Truncate cuts texts that are longer than the text encoder takes, in place of
	// an error.
	Truncate bool `yaml:"truncate" json:",omitempty"` // the hash of a run without it stays
	// Templates is what the method clip reads the classes in: "context" (the words of
	// train.context, as every other method does), "dataset" (the published template
	// of the data set, such as "a photo of a {}, a type of pet.") or "ensemble" (all
	// that CLIP published for it, their features averaged). The last two are there
	// for the eleven data sets of the literature and the shifts of ImageNet.
	Templates string `yaml:"templates" json:",omitempty"`
}

// Cuda is how a card computes.
type Cuda struct {
	// Math is how products are computed: "fp32", as on the CPU but for rounding, or
	// with operands rounded to "tf32" or "bf16", for speed.
	Math string `yaml:"math"`
}

// Data says where the images are and how many are used.
type Data struct {
	Root         string `yaml:"root"`           // folder that holds the data sets; unused by the world
	Classes      int    `yaml:"classes"`        // the first n classes of the data set; 0: all
	TestPerClass int    `yaml:"test_per_class"` // test images a class; 0: all, in the world 60
	SplitSeed    int    `yaml:"split_seed"`     // splits a data set that has no split of its own
	OnBadImage   string `yaml:"on_bad_image"`   // "error", or "skip": leave it out and list it in the result
}

// Train is the recipe of the learned prompt.
type Train struct {
	Epochs       int        `yaml:"epochs"`
	Batch        int        `yaml:"batch"`
	LR           float64    `yaml:"lr"`        // of the context vectors, cosine to 0
	ScalarLR     float64    `yaml:"scalar_lr"` // Spotlighter's scalars learn at this multiple of lr
	Momentum     float64    `yaml:"momentum"`
	WeightDecay  float64    `yaml:"weight_decay"`
	WarmupEpochs int        `yaml:"warmup_epochs"`
	WarmupLR     float64    `yaml:"warmup_lr"`
	Schedule     string     `yaml:"schedule" json:",omitempty"` // how often the rate changes: each "epoch", or each "step"
	Views        int        `yaml:"views"`                      // augmented views of each training image
	CropScale    [2]float64 `yaml:"crop_scale"`                 // least and largest share of the area in a random resized crop
	Context      string     `yaml:"context"`                    // words that the learned context starts from
	// Fixed are the variables that stay at their start, by the names that spotlighter
	// params lists: "prompt.*" (what is plugged into it learns alone), "spotlight.*"
	// (the prompt learns alone), "spotlight.phi" (beta) and so on.
	Fixed List[string] `yaml:"fixed" json:",omitempty"` // the hash of a run without them stays
}

// How often the learning rate changes.
const (
	eachEpoch = "epoch"
	eachStep  = "step"
)

// Default is the recipe that every file starts from: one run of the whole
// method on the first task of the world.
func Default() Config {
	return Config{
		Protocol: BaseToNovel,
		Method:   List[string]{"coop+spotlighter"},
		Dataset:  List[string]{"clutter"},
		Seed:     List[int]{1},
		Clip:     Clip{Weights: "tiny", Unknown: "error", Templates: contextTemplate},
		Data:     Data{SplitSeed: 1, OnBadImage: refuseBad},
		Shots:    16,
		Train: Train{
			Epochs: 20, Batch: 32, LR: .02, ScalarLR: .05, Momentum: .9, WeightDecay: 5e-4,
			WarmupEpochs: 1, WarmupLR: 1e-5, Schedule: eachEpoch, Views: 4, CropScale: [2]float64{.8, 1}, Context: "a photo of a",
		},
		Spotlight: spotlight.Default(),
		Prune:     defaultPrune(),
		Text:      textenc.Fast(),
		Sections:  defaultSections(),
		Out:       "runs",
		Device:    device.CPU, Cuda: Cuda{cuda.FP32},
		Cache: "auto", CacheLimit: 50,
	}
}

//go:embed *.yaml promptkd/*.yaml
var files embed.FS

// Load reads the file at path over Default, applies the overrides ("train.lr=.01"),
// and validates. An error is one line with the file, the line and the key, or
// with the override.
func Load(path string, overrides []string) (Config, error) {
	r, err := Resolve(path, overrides)
	return r.Config, err
}

// LoadEmbedded is Load of a file that the program carries, such as "quickstart.yaml".
func LoadEmbedded(name string, overrides []string) (Config, error) {
	r, err := embedded.load(embeddedFolder+name, overrides)
	return r.Config, err
}

// EmbeddedClip says whether overrides leave the CLIP that the program carries in its
// place. One that cannot be read leaves it: Load says what is wrong with it.
func EmbeddedClip(overrides []string) bool {
	c := Default()
	root := reflect.ValueOf(&c).Elem()
	for _, o := range overrides {
		if err := (decoder{origin: map[string]origin{}}).override(o, root); err != nil {
			return true
		}
	}
	return c.Clip.Weights == Default().Clip.Weights
}

// Cells are the runs of the grid, method by method within each data set and
// seed, each a Config with single values, by its method's recipe.
func (c Config) Cells() []Config {
	var cells []Config
	for _, dataset := range c.Dataset {
		for _, seed := range c.Seed {
			for _, method := range c.Method {
				cell, err := c.with(method)
				if err != nil {
					panic(err) // Validate refuses it
				}
				cell.Dataset, cell.Seed = List[string]{dataset}, List[int]{seed}
				cells = append(cells, cell)
			}
		}
	}
	return cells
}

// Hash is the SHA-256, in hexadecimal, of everything that can change a number:
// all settings that the methods read, but out, threads, where features are kept
// and the device. A card differs from the CPU, and from other cards, as processors
// do from each other: in the rounding of sums. Products of rounded operands are
// another matter, and cuda.math counts where a card may compute them.
func (c Config) Hash() string {
	c.CacheFP16 = c.CacheFP16 && c.Cache == "disk"
	c.Out, c.Threads, c.Cache, c.CacheFolder, c.CacheLimit = "", 0, "", "", 0
	if c.Device == device.CPU || c.Cuda.Math == cuda.FP32 {
		c.Cuda = Cuda{}
	}
	c.Device = ""
	if len(c.Spotlight.Blocks) == 0 {
		c.Spotlight.Blocks = nil // an empty list and an absent one mean the same
	}
	c.Clip, c.Prune, c.Spotlight = c.Clip.hashed(c.Method), c.Prune.hashed(), c.Spotlight.Hashed()
	if !slices.ContainsFunc(c.Method, methods.Plugged) && c.Prune.alone() {
		c.Spotlight = spotlight.Config{} // that nothing reads: one run at all of its values
	}
	c.Sections = c.Sections.hashed(c.Method...)
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // only NaN or Inf, which Validate refuses
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// YAML is the configuration as a file that Load reads back to the same value: all
// of it but the sections of other methods.
func (c Config) YAML() []byte {
	text, err := yaml.Marshal(c)
	if err == nil && len(c.Sections.of(c.Method...)) > 0 {
		var own []byte
		own, err = yaml.Marshal(c.Sections.of(c.Method...))
		text = append(text, own...)
	}
	if err != nil {
		panic(err) // the type has no field that cannot be written
	}
	return text
}

// List is one value or a list of them.
type List[T any] []T

// MarshalYAML writes a list of one as its value.
func (l List[T]) MarshalYAML() (any, error) {
	if len(l) == 1 {
		return l[0], nil
	}
	return []T(l), nil
}

// scalarAsList marks the slices that a lone scalar may stand for.
func (List[T]) scalarAsList() {}

// scalarField is the field that a scalar in place of the mapping sets.
func (Clip) scalarField() string { return "weights" }
