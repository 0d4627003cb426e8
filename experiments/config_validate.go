package experiments

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"spotlighter/experiments/methods"
	"spotlighter/internal/datasets"
	"spotlighter/internal/device"
	"spotlighter/spotlight"
)

// datasetNames are the named data sets, as a user is told them.
func datasetNames() []string {
	return append([]string{"clutter", "dusk", "fog", "tuning-1"}, datasets.Names()...)
}

var tuningTask = regexp.MustCompile(`^tuning-[1-9][0-9]*$`)

// Validate reports the first setting that cannot work: its key, what was found
// and what is wanted.
func (c Config) Validate() error {
	if err := finite(reflect.ValueOf(c), ""); err != nil {
		return err
	}
	return cmp.Or(
		validateList("method", c.Method, func(key, m string) error { return oneOf(key, m, methods.Names()) }),
		validateList("dataset", c.Dataset, c.validateDataset),
		c.validateProtocol(),
		validateList("seed", c.Seed, func(key string, s int) error { return atLeast(key, s, 0) }),
		check(c.Clip.Weights != "", "clip.weights: found nothing, want tiny or the path of a checkpoint"),
		oneOf("clip.unknown", c.Clip.Unknown, []string{"error", "random"}),
		c.validateTemplates(),
		atLeast("data.classes", c.Data.Classes, 0),
		check(c.Data.Classes != 1, "data.classes: found 1, want at least 2 (one base class, one novel) or 0 (all)"),
		atLeast("data.test_per_class", c.Data.TestPerClass, 0),
		atLeast("data.split_seed", c.Data.SplitSeed, 0),
		oneOf("data.on_bad_image", c.Data.OnBadImage, []string{refuseBad, skipBad}),
		atLeast("shots", c.Shots, 1),
		c.Train.validate(),
		check(c.Out != "", "out: found nothing, want the folder of the run folders"),
		atLeast("threads", c.Threads, 0),
		validateDevice(c.Device),
		oneOf("cuda.math", c.Cuda.Math, device.Math),
		oneOf("cache", c.Cache, []string{"auto", "memory", "disk", "off"}),
		check(c.CacheLimit > 0, "cache_limit: found %g, want above 0 (GiB)", c.CacheLimit),
		c.Spotlight.Validate(),
		c.validatePrune(),
		c.Sections.validate(),
		c.validateRecipes(),
		check(c.Spotlight.Variant != spotlight.Release || !slices.Contains(c.Method, "clip+spotlighter"),
			"method: clip+spotlighter learns nothing, spotlight.variant %s works by learning alone", spotlight.Release),
	)
}

func validateDevice(name string) error {
	if err := device.Check(name); err != nil {
		return fmt.Errorf("device: %w", err)
	}
	return nil
}

func (t Train) validate() error {
	return cmp.Or(
		atLeast("train.epochs", t.Epochs, 1),
		atLeast("train.batch", t.Batch, 1),
		check(t.LR > 0, "train.lr: found %g, want above 0", t.LR),
		check(t.ScalarLR >= 0, "train.scalar_lr: found %g, want 0 or above", t.ScalarLR),
		check(t.Momentum >= 0 && t.Momentum < 1, "train.momentum: found %g, want 0 <= momentum < 1", t.Momentum),
		check(t.WeightDecay >= 0, "train.weight_decay: found %g, want 0 or above", t.WeightDecay),
		atLeast("train.warmup_epochs", t.WarmupEpochs, 0),
		check(t.WarmupEpochs < t.Epochs || t.WarmupEpochs == 0,
			"train.warmup_epochs: found %d of %d epochs, want fewer than train.epochs", t.WarmupEpochs, t.Epochs),
		oneOf("train.schedule", t.Schedule, []string{eachEpoch, eachStep}),
		check(t.WarmupLR >= 0, "train.warmup_lr: found %g, want 0 or above", t.WarmupLR),
		atLeast("train.views", t.Views, 1),
		check(0 < t.CropScale[0] && t.CropScale[0] <= t.CropScale[1] && t.CropScale[1] <= 1,
			"train.crop_scale: found [%g, %g], want 0 < least <= largest <= 1", t.CropScale[0], t.CropScale[1]),
		t.validateFixed(),
		check(strings.TrimSpace(t.Context) != "", "train.context: found nothing, want the words that the context starts from"),
	)
}

// validateFixed refuses what is no pattern; whether it names something, the
// method's variables say.
func (t Train) validateFixed() error {
	for _, pattern := range t.Fixed {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return fmt.Errorf("train.fixed: %q is no name, nor a pattern such as prompt.*", pattern)
		}
	}
	return nil
}

func (c Config) validateDataset(key, name string) error {
	switch {
	case datasets.Known(name):
		guide, _ := datasets.Describe(name)
		holds := guide.Folder
		if holds == "." {
			holds = "the class folders"
		}
		return check(c.Data.Root != "", "data.root: found nothing, want the folder that holds %s (dataset %s)", holds, name)
	case slices.Contains(datasetNames(), name), tuningTask.MatchString(name), isTaskFile(name):
		return nil
	case strings.Contains(name, ","):
		return fmt.Errorf("%s: %q is no data set; a list is written [%s]", key, name, printable(strings.ReplaceAll(name, ",", ", ")))
	}
	hint := ""
	if near := nearest(name, datasetNames()); near != "" {
		hint = ", did you mean " + near + "?"
	}
	return fmt.Errorf("%s: %q is none of %s, nor the path of a task (.yaml)%s", key, name, strings.Join(datasetNames(), ", "), hint)
}

// isTaskFile tells the path of a task of the world from the name of a data set.
func isTaskFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// validateList wants at least one item and no item twice.
func validateList[T comparable](key string, list List[T], validate func(key string, item T) error) error {
	if len(list) == 0 {
		return fmt.Errorf("%s: found an empty list, want at least one", key)
	}
	for i, item := range list {
		if slices.Contains(list[:i], item) {
			return fmt.Errorf("%s: %s is there twice", key, printable(fmt.Sprint(item)))
		}
		if err := validate(key, item); err != nil {
			return err
		}
	}
	return nil
}

func oneOf(key, value string, want []string) error {
	if slices.Contains(want, value) {
		return nil
	}
	hint := ""
	if near := nearest(value, want); near != "" {
		hint = ", did you mean " + near + "?"
	}
	return fmt.Errorf("%s: %q is none of %s%s", key, value, strings.Join(want, ", "), hint)
}

func atLeast(key string, value, least int) error {
	return check(value >= least, "%s: found %d, want at least %d", key, value, least)
}

func check(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// finite refuses NaN and infinities, which every later comparison would let through.
func finite(v reflect.Value, key string) error {
	switch v.Kind() {
	case reflect.Float64:
		f := v.Float()
		return check(!math.IsNaN(f) && !math.IsInf(f, 0), "%s: found %g, want a finite number", key, f)
	case reflect.Struct:
		for _, f := range fields(v) {
			if err := finite(f.value, join(key, f.key)); err != nil {
				return err
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			if err := finite(v.Index(i), key); err != nil {
				return err
			}
		}
	}
	return nil
}
