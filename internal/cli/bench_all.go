package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"spotlighter/graph/cpu"
	"spotlighter/internal/device"
)

// benchAll runs the measurements one after the other: in full by the first
// path, the hot operations and one encoder by the others.
func benchAll(ctx context.Context, f benchFlags, paths []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i, path := range paths {
		run := func(args ...string) error {
			args = append([]string{"bench"}, args...)
			args = append(args, "--threads", strconv.Itoa(f.threads), "--repeat", strconv.Itoa(f.repeat),
				"--seconds", strconv.FormatFloat(f.seconds, 'g', -1, 64), "--device", cmp.Or(f.device, device.CPU), "--math", f.math, fmt.Sprintf("--json=%v", f.json))
			c := exec.CommandContext(ctx, self, args...)
			c.Env = append(os.Environ(), cpu.PathVariable+"="+path)
			c.Stdout, c.Stderr = os.Stdout, os.Stderr
			if err := c.Run(); err != nil {
				return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
			}
			return nil
		}
		for _, args := range benchPlan(i == 0) {
			if err := run(args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// benchPlan lists the measurements of a path.
func benchPlan(full bool) [][]string {
	plan := [][]string{{"machine"}, {"ops"}, {"image", "--model", "B/32"}}
	if !full {
		return append(plan, []string{"step", "--classes", "50"})
	}
	plan = append(plan, []string{"image", "--model", "B/16"}, []string{"image", "--model", "L/14", "--batch", "4"})
	for _, method := range []string{"coop", "coop+spotlighter"} {
		for _, classes := range []string{"50", "100", "1000"} {
			plan = append(plan, []string{"step", "--method", method, "--classes", classes})
		}
		plan = append(plan, []string{"step", "--method", method, "--classes", "100", "--batch", "128"})
		for _, classes := range []string{"50", "100", "1000"} {
			plan = append(plan, []string{"evaluate", "--method", method, "--classes", classes})
		}
	}
	return append(plan, []string{"pretrain"})
}
