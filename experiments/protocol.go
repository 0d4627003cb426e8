package experiments

import (
	"fmt"
	"slices"

	"spotlighter/experiments/methods"
	"spotlighter/internal/datasets"
)

// The protocols of the literature.
const (
	// BaseToNovel learns the first half of the classes and tests each half among
	// its own classes.
	BaseToNovel = "base-to-novel"
	// FewShot learns and tests all classes, from shots images of each.
	FewShot = "few-shot"
	// CrossDataset learns all classes of one data set, ImageNet in the literature,
	// and tests the classes of other data sets.
	CrossDataset = "cross-dataset"
	// DomainGeneralization is CrossDataset to shifts of the same classes, or of some of
	// them, which keep what was learned of each.
	DomainGeneralization = "domain-generalization"
	// ZeroShot tests all classes and learns nothing.
	ZeroShot = "zero-shot"
)

// Protocols are all of them.
var Protocols = []string{BaseToNovel, FewShot, CrossDataset, DomainGeneralization, ZeroShot}

// usualTargets are the targets of the literature.
var usualTargets = map[string]List[string]{
	CrossDataset: {"caltech101", "oxford_pets", "stanford_cars", "oxford_flowers", "food101",
		"fgvc_aircraft", "sun397", "dtd", "eurosat", "ucf101"},
	DomainGeneralization: {"imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"},
}

// setTargets makes the usual targets explicit where the configuration has none.
func (r *Resolved) setTargets() {
	if _, set := r.origins["targets"]; !set && usualTargets[r.Protocol] != nil {
		r.Targets = slices.Clone(usualTargets[r.Protocol])
		r.origins["targets"] = origin{where: "default of protocol " + r.Protocol}
	}
}

// checkShift refuses a target that is no shift of the source's classes.
func (c Config) checkShift(target string, classes, source []string) error {
	if c.Protocol != DomainGeneralization {
		return nil
	}
	for _, name := range classes {
		if !slices.Contains(source, name) {
			return fmt.Errorf("targets: %s has a class %q, which %s has not: protocol %s tests shifts of the same classes, %s others",
				DatasetName(target), name, DatasetName(c.Dataset[0]), DomainGeneralization, CrossDataset)
		}
	}
	return nil
}

// validateProtocol refuses what a protocol cannot do.
func (c Config) validateProtocol() error {
	if err := oneOf("protocol", c.Protocol, Protocols); err != nil {
		return err
	}
	transfers := usualTargets[c.Protocol] != nil
	switch {
	case transfers && len(c.Targets) == 0:
		return fmt.Errorf("targets: found none, want the data sets that protocol %s tests", c.Protocol)
	case !transfers && len(c.Targets) > 0:
		return fmt.Errorf("targets: protocol %s has none", c.Protocol)
	case transfers:
		if err := validateList("targets", c.Targets, c.validateDataset); err != nil {
			return err
		}
	}
	for _, d := range c.Dataset {
		if slices.Contains(c.Targets, d) {
			return fmt.Errorf("targets: %s is what is learned on (dataset)", printable(d))
		}
		guide, _ := datasets.Describe(d)
		for _, m := range c.Method {
			if guide.Size.Test > 0 && guide.Size.Train == 0 && methods.Learns(m) {
				return fmt.Errorf("dataset: %s has test images only, method %s needs training images", d, m)
			}
		}
	}
	for _, m := range c.Method {
		if why := methods.Closed(m, methods.Options{Settings: c.Sections}); why != "" && c.Protocol != FewShot {
			return fmt.Errorf("%s, and protocol %s tests such classes: want protocol %s", why, c.Protocol, FewShot)
		}
	}
	if c.Protocol == ZeroShot {
		return validateList("method", c.Method, func(key, m string) error {
			return check(!methods.Learns(m), "%s: %s learns, protocol %s has nothing to learn from; want clip or clip+spotlighter", key, m, ZeroShot)
		})
	}
	return nil
}
