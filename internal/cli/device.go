package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"spotlighter/experiments"
	"spotlighter/graph"
	"spotlighter/graph/cuda"
	"spotlighter/internal/device"
)

// deviceFlag adds --device; "" leaves the choice to the configuration.
func deviceFlag(fl *pflag.FlagSet, to *string) {
	fl.StringVar(to, "device", "", "what computes: cpu, cuda, cuda:N (card N), or auto, a card if there is one")
}

// mathFlag adds --math, for commands without a configuration.
func mathFlag(fl *pflag.FlagSet, to *string) {
	fl.StringVar(to, "math", cuda.FP32, "how a card computes products: fp32, or of operands rounded to tf32 or bf16")
}

// checkDevice refuses a choice that does not exist.
func checkDevice(name string) error {
	if name == "" {
		return nil
	}
	if err := device.Check(name); err != nil {
		return usageError{fmt.Errorf("--device: %w", err)}
	}
	return nil
}

// openDevice opens what --device and --math say, and tells what is to be told.
func openDevice(name, math string) (graph.Device, error) {
	if err := checkDevice(name); err != nil {
		return nil, err
	}
	if name == "" {
		name = device.CPU
	}
	if !slices.Contains(device.Math, math) {
		return nil, usageError{fmt.Errorf("--math: %q is none of %s", math, strings.Join(device.Math, ", "))}
	}
	d, note, err := device.Open(name, math)
	if note != "" {
		fmt.Fprintln(os.Stderr, note)
	}
	return d, err
}

// tell says what is to be told of a run's device.
func tell(t *experiments.Trained) {
	if note := t.Note(); note != "" {
		fmt.Fprintln(os.Stderr, note)
	}
}
