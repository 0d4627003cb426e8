package cli

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
)

func paramsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "params CONFIG.yaml [key=value...]",
		Short: "List what a configuration's methods train: tensors and scalars, by name",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := experiments.Load(args[0], args[1:])
			if err != nil {
				return err
			}
			lab, err := experiments.NewLab(cfg)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			cfg.Dataset, cfg.Seed = cfg.Dataset[:1], cfg.Seed[:1]
			for _, c := range cfg.Cells() {
				vars, err := lab.Trainables(cmd.Context(), c)
				if err != nil {
					return err
				}
				fmt.Fprintf(w, "%s\t\t scalars\n", c.Method[0])
				total := 0
				for _, v := range vars {
					n := v.Value.Len()
					total += n
					fmt.Fprintf(w, "  %s\t%v\t%8d\n", v.Name, []int(v.Type.Shape), n)
				}
				fmt.Fprintf(w, "  total\t%d tensors\t%8d\n\n", len(vars), total)
			}
			return w.Flush()
		},
	}
}
