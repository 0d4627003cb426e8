package sweep

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"spotlighter/experiments"
)

// Options say how a space is searched.
type Options struct {
	Config   string // path of the YAML
	Strategy string
	Budget   int    // of combinations; 0: no bound
	Draw     uint64 // seed of the random strategies
	Seeds    []int  // nil: those of the configuration
	Metric   string // that trials are ranked by, see Metrics
	Halving  Halving
}

// Plan is every run of a sweep, before any of it is started.
type Plan struct {
	Dir        string   `json:"-"` // the sweep's own folder
	Keys       []string `json:"keys"`
	Metric     string   `json:"metric"`
	Strategy   string   `json:"strategy"`
	Seeds      []int    `json:"seeds"`
	Rungs      []int    `json:"rungs,omitempty"` // epochs of each rung; none without halving
	Eta        int      `json:"eta,omitempty"`
	Trials     []*Trial `json:"trials"`
	Duplicates int      `json:"duplicates"` // combinations left out because another has the same configuration
	// Impossible are the combinations that cannot run, and why.
	Impossible []string `json:"impossible,omitempty"`
}

// Trial is one combination: a row of the leaderboard.
type Trial struct {
	Values []string `json:"values"` // by Plan.Keys
	Rungs  [][]Run  `json:"runs"`   // [rung][seed]; one rung without halving
}

// Run is one cell of the sweep.
type Run struct {
	Seed   int                `json:"seed"`
	Folder string             `json:"folder"` // of the run
	Cell   experiments.Config `json:"-"`
}

// Name is what a trial is called in messages: its settings.
func (p *Plan) Name(t *Trial) string { return nameOf(p.Keys, t.Values) }

func nameOf(keys, values []string) string {
	var settings Point
	for i, key := range keys {
		settings = append(settings, Setting{key, values[i]})
	}
	return cmp.Or(settings.String(), "the configuration")
}

// Checker refuses a cell that its configuration alone does not show to be
// impossible.
type Checker func(experiments.Config) error

// New lays out the sweep: it draws the points, reads each one's configuration,
// leaves duplicates out, and checks every rung of every trial. Combinations that
// cannot run are listed in the plan; an error is a space or an option that makes
// no sense at all.
func New(s Space, o Options, check Checker) (*Plan, error) {
	if metrics[o.Metric] == nil {
		return nil, fmt.Errorf("--metric: %q is none of %s", o.Metric, strings.Join(Metrics, ", "))
	}
	points, err := s.Points(o.Strategy, o.Budget, o.Draw)
	if err != nil {
		return nil, err
	}
	p := &Plan{Keys: s.Keys(), Metric: o.Metric, Strategy: o.Strategy, Eta: o.Halving.Eta}
	l := layout{plan: p, space: s, options: o, check: check, seen: map[string]bool{}}
	same := true // all points fail for one reason, which is not theirs
	var first error
	for _, point := range points {
		cfg, err := l.load(point)
		if err != nil {
			first = cmp.Or(first, err)
			same = same && err.Error() == first.Error()
			p.Impossible = append(p.Impossible, fmt.Sprintf("%v: %v", point, err))
			continue
		}
		l.cells = append(l.cells, located{point, cfg})
	}
	switch {
	case len(l.cells) == 0 && same:
		return nil, first
	case len(l.cells) == 0:
		return p, nil
	}
	if err := l.rungs(); err != nil {
		return nil, err
	}
	l.columns()
	for _, c := range l.cells {
		l.add(c)
	}
	base := l.cells[0].cfg
	p.Seeds = base.Seed
	name := strings.TrimSuffix(filepath.Base(o.Config), filepath.Ext(o.Config))
	p.Dir = filepath.Join(base.Out, fmt.Sprintf("sweep-%s-%s", name, p.hash()))
	return p, nil
}

type located struct {
	point Point
	cfg   experiments.Config
}

type layout struct {
	plan    *Plan
	space   Space
	options Options
	check   Checker
	cells   []located
	seen    map[string]bool // hashes of the trials so far
}

func (l *layout) load(point Point) (experiments.Config, error) {
	overrides := l.space.Overrides(point)
	if l.options.Seeds != nil {
		text, err := json.Marshal(l.options.Seeds) // which is YAML too
		if err != nil {
			return experiments.Config{}, err
		}
		overrides = append(overrides, "seed="+string(text))
	}
	return experiments.Load(l.options.Config, overrides)
}

func (l *layout) rungs() error {
	h := l.options.Halving
	if h.Eta == 0 {
		return nil
	}
	if slices.Contains(l.plan.Keys, "train.epochs") {
		return fmt.Errorf("train.epochs: --halving sets it, so it cannot be swept")
	}
	var err error
	l.plan.Rungs, err = h.rungs(l.cells[0].cfg.Train.Epochs)
	return err
}

// columns makes columns of the methods and the data sets where there are several.
func (l *layout) columns() {
	for _, key := range []string{"method", "dataset"} {
		several := func(c located) bool {
			return key == "method" && len(c.cfg.Method) > 1 || key == "dataset" && len(c.cfg.Dataset) > 1
		}
		if slices.ContainsFunc(l.cells, several) && !slices.Contains(l.plan.Keys, key) {
			l.plan.Keys = append(l.plan.Keys, key)
		}
	}
}

// add makes a trial of each method and data set of a point.
func (l *layout) add(c located) {
	for _, dataset := range c.cfg.Dataset {
		for _, method := range c.cfg.Method {
			cfg := c.cfg
			cfg.Method, cfg.Dataset = experiments.List[string]{method}, experiments.List[string]{dataset}
			hash := cfg.Hash()
			if l.seen[hash] {
				l.plan.Duplicates++
				continue
			}
			l.seen[hash] = true
			t, err := l.trial(c.point, cfg)
			if err != nil {
				l.plan.Impossible = append(l.plan.Impossible, fmt.Sprintf("%s: %v", l.plan.Name(t), err))
				continue
			}
			l.plan.Trials = append(l.plan.Trials, t)
		}
	}
}

func (l *layout) trial(point Point, cfg experiments.Config) (*Trial, error) {
	t := &Trial{}
	for _, key := range l.plan.Keys {
		i := slices.IndexFunc(point, func(s Setting) bool { return s.Key == key })
		switch {
		case key == "method":
			t.Values = append(t.Values, cfg.Method[0])
		case key == "dataset":
			t.Values = append(t.Values, experiments.DatasetName(cfg.Dataset[0]))
		default:
			t.Values = append(t.Values, point[i].Value)
		}
	}
	epochs := l.plan.Rungs
	if epochs == nil {
		epochs = []int{cfg.Train.Epochs}
	}
	for _, e := range epochs {
		cfg.Train.Epochs = e
		if err := cfg.Validate(); err != nil {
			return t, fmt.Errorf("with %d epochs: %w", e, err)
		}
		var runs []Run
		for _, cell := range cfg.Cells() {
			runs = append(runs, Run{Seed: cell.Seed[0], Folder: experiments.RunName(cell), Cell: cell})
		}
		t.Rungs = append(t.Rungs, runs)
	}
	return t, l.check(t.Rungs[0][0].Cell)
}

// hash tells sweeps apart: those with the same runs under the same keys are one.
func (p *Plan) hash() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and whole numbers only
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4])
}
