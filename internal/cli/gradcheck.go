package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
)

func gradcheckCommand() *cobra.Command {
	var g experiments.Gradcheck
	threads := 0
	c := &cobra.Command{
		Use:   "gradcheck CONFIG.yaml [key=value...]",
		Short: "Compare every trainable's gradient with finite differences, the whole model in float64",
		Long: `Compare the gradient of everything that a configuration's methods train with
finite differences of the loss, the whole model in float64: of drawn elements of
each tensor, and of one random direction through all of them. The images are the
first data set's and seed's own, after a few steps of training and a random move.

A method that learns nothing, or is fitted at once, has no training step to check.
The error is relative to the tensor's largest gradient; one above --tol ends with
exit code 1. What has no gradient by its nature, a selection or a stopped
gradient, is held at its value and named below the table.

  spotlighter gradcheck experiments/quickstart.yaml method=coop+spotlighter`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, check := range []struct {
				flag         string
				value, least int
			}{{"--images", g.Images, 1}, {"--elements", g.Elements, 0}, {"--steps", g.Steps, 0}, {"--threads", threads, 0}} {
				if err := wantAtLeast(check.flag, check.value, check.least); err != nil {
					return err
				}
			}
			if !(g.Step > 0 && g.Tol > 0) {
				return usageError{fmt.Errorf("--step and --tol: found %g and %g, want above 0", g.Step, g.Tol)}
			}
			cfg, err := experiments.Load(args[0], args[1:])
			if err != nil {
				return err
			}
			if threads > 0 {
				cfg.Threads = threads
			}
			lab, err := experiments.NewLab(cfg)
			if err != nil {
				return err
			}
			cfg.Dataset, cfg.Seed = cfg.Dataset[:1], cfg.Seed[:1]
			return gradcheck(cmd, lab, cfg, g)
		},
	}
	f := c.Flags()
	f.IntVar(&g.Images, "images", 4, "training images in the batch")
	f.IntVar(&g.Elements, "elements", 16, "elements checked of each tensor; 0: all")
	f.IntVar(&g.Steps, "steps", 2, "steps of training before the check")
	f.Float64Var(&g.Step, "step", 1e-4, "step of the finite differences")
	f.Float64Var(&g.Tol, "tol", 1e-6, "largest error, relative to the tensor's largest gradient")
	f.IntVar(&threads, "threads", 0, "threads; 0: all cores")
	return c
}

func gradcheck(cmd *cobra.Command, lab *experiments.Lab, cfg experiments.Config, g experiments.Gradcheck) error {
	var off, none []string
	checked, tiny := 0, 0
	for _, c := range cfg.Cells() {
		r, err := lab.Gradcheck(cmd.Context(), c, g)
		if errors.Is(err, experiments.ErrNoStep) {
			none = append(none, err.Error())
			continue
		}
		if err != nil {
			return fmt.Errorf("%s on %s: %w", c.Method[0], experiments.DatasetName(c.Dataset[0]), err)
		}
		fmt.Printf("%s on %s, seed %d: %d images, %d classes, loss %.6g, float64\n", c.Method[0], experiments.DatasetName(c.Dataset[0]), c.Seed[0], r.Images, r.Classes, r.Loss)
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  variable\tshape\tchecked\tlargest gradient\terror\tat\tgradient there\tfinite difference\tresult")
		for _, row := range r.Rows {
			checked++
			verdict := "ok"
			switch {
			case !row.OK:
				verdict = "OFF"
				off = append(off, fmt.Sprintf("%s of %s", row.Variable, c.Method[0]))
			case row.Tiny:
				verdict = "below rounding"
				tiny++
			case row.Zero:
				verdict = "zero: it changes nothing here"
			}
			fmt.Fprintf(w, "  %s\t%v\t%d\t%.3e\t%.1e\t%s\t%.9e\t%.9e\t%s\n", row.Variable, []int(row.Shape), row.Elements, row.Largest, row.Error, row.At, row.Got, row.Want, verdict)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if len(r.Held) > 0 {
			fmt.Printf("  held, as without a gradient: %s\n", strings.Join(r.Held, ", "))
		}
		fmt.Println()
	}
	if checked == 0 {
		return fmt.Errorf("gradcheck: %s", strings.Join(none, "; "))
	}
	for _, line := range none {
		fmt.Fprintln(os.Stderr, line)
	}
	switch {
	case len(off) > 0:
		return fmt.Errorf("gradcheck: %d of %d gradients are off: %s", len(off), checked, strings.Join(off, ", "))
	}
	fmt.Printf("%d gradients agree with finite differences to %g", checked-tiny, g.Tol)
	if tiny > 0 {
		fmt.Printf(", %d are too small for differences to tell", tiny)
	}
	fmt.Println()
	return nil
}
