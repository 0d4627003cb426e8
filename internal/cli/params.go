package cli

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
	"spotlighter/graph"
	"spotlighter/internal/clip"
)

func paramsCommand() *cobra.Command {
	var summary bool
	var as string
	c := &cobra.Command{
		Use:   "params CONFIG.yaml [key=value...]",
		Short: "List what a configuration's methods train: tensors and scalars, by name",
		Long: `List what a configuration's methods train: tensors and scalars, by name.

--summary adds one training step layer by layer, as it runs, forward and backward:
each layer's last shape, its ops, its scalars by kind, and the arithmetic of the
whole batch. What the frozen image encoder makes of an image once, before training,
is part of no step.

--as ViT-B/16 (ViT-B/32, ViT-L/14) lists it for a CLIP of that published shape, in
place of the configuration's, and needs no weights: sizes are looked at alone. So can
PromptKD's teacher be told, by promptkd.clip=ViT-L/14.

  spotlighter params experiments/quickstart.yaml method=coop+spotlighter --summary
  spotlighter params experiments/maple.yaml --as ViT-B/16`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := experiments.Load(args[0], args[1:])
			if err != nil {
				return err
			}
			var lab *experiments.Lab
			if as == "" {
				lab, err = experiments.NewLab(cfg)
			} else if _, wrong := clip.ShapeOf(as); wrong != nil {
				return usageError{fmt.Errorf("--as: %w", wrong)}
			} else {
				lab, err = experiments.NewSizedLab(cfg, as)
			}
			if err != nil {
				return err
			}
			cfg.Dataset, cfg.Seed = cfg.Dataset[:1], cfg.Seed[:1]
			for _, c := range cfg.Cells() {
				vars, step, err := lab.Trainables(cmd.Context(), c)
				if err != nil {
					return err
				}
				if err := writeParams(os.Stdout, c.Method[0], vars); err != nil {
					return err
				}
				if summary {
					if err := writeStep(os.Stdout, step, c.Train.Batch); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&as, "as", "", "published shape of the CLIP, in place of the configuration's: ViT-B/32, ViT-B/16 or ViT-L/14")
	c.Flags().BoolVar(&summary, "summary", false, "each layer of a training step: shape, ops, scalars, MFLOP")
	return c
}

func writeParams(to io.Writer, method string, vars []*graph.Variable) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t\t scalars\n", method)
	total := 0
	for _, v := range vars {
		n := v.Value.Len()
		total += n
		fmt.Fprintf(w, "  %s\t%v\t%8d\n", v.Name, []int(v.Type.Shape), n)
	}
	fmt.Fprintf(w, "  total\t%d tensors\t%8d\n\n", len(vars), total)
	return w.Flush()
}

// writeStep writes a training step layer by layer.
func writeStep(to io.Writer, step *graph.Program, batch int) error {
	if step == nil {
		_, err := fmt.Fprint(to, "no training step: nothing is learned, or it is fitted at once\n\n")
		return err
	}
	if _, err := fmt.Fprintf(to, "a training step of at most %d images\n", batch); err != nil {
		return err
	}
	if err := step.WriteSummary(to); err != nil {
		return err
	}
	_, err := fmt.Fprintln(to)
	return err
}
