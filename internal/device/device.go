// Package device opens what a user chose to compute on.
package device

import (
	"fmt"
	"regexp"
	"strconv"

	"spotlighter/graph"
	"spotlighter/graph/cuda"
)

// CPU is the choice that is always there, and the default.
const CPU = "cpu"

// Math lists how products are computed on a card: exactly as on the CPU but for
// rounding, or faster, with operands of 10 (tf32) or 7 (bf16) bits of fraction.
var Math = []string{cuda.FP32, cuda.TF32, cuda.BF16}

var names = regexp.MustCompile(`^(cpu|auto|cuda(:(0|[1-9][0-9]?))?)$`)

// Check says whether name is a choice: cpu, cuda (the first card), cuda:N, or auto
// (the first card if there is one that works, else the CPU).
func Check(name string) error {
	if !names.MatchString(name) {
		return fmt.Errorf("%q is none of cpu, cuda, cuda:N (a card, from 0) and auto", name)
	}
	return nil
}

// Arithmetic says what the last digits of a device's numbers depend on: its card,
// and how and by what products are computed.
func Arithmetic(d graph.Device) string {
	if c, ok := d.(*cuda.Device); ok {
		return c.Arithmetic()
	}
	return d.Name()
}

// Open opens a choice, whose products are computed by math; nil is the CPU. note
// is what a user should be told once: why auto took the CPU, or which card it took.
func Open(name, math string) (d graph.Device, note string, err error) {
	if err := Check(name); err != nil {
		return nil, "", err
	}
	switch name {
	case CPU:
		return nil, "", onCPU(math)
	case "auto":
		d, err := cuda.Open(0, math)
		if err != nil {
			if math := onCPU(math); math != nil {
				return nil, "", fmt.Errorf("device auto takes no card (%w), and %w", err, math)
			}
			return nil, fmt.Sprintf("device auto takes the CPU: %v", err), nil
		}
		return d, "device auto takes " + d.Name(), nil
	}
	card := 0
	if at := len("cuda:"); len(name) > at {
		card, _ = strconv.Atoi(name[at:]) // two digits
	}
	if d, err = cuda.Open(card, math); err != nil {
		return nil, "", fmt.Errorf("device %s: %w", name, err)
	}
	return d, "", nil
}

// onCPU refuses what the CPU would compute in another way.
func onCPU(math string) error {
	if math != cuda.FP32 {
		return fmt.Errorf("the CPU computes products in %s, not in %s (cuda.math and --math choose)", cuda.FP32, math)
	}
	return nil
}
