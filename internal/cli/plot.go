package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"spotlighter/results"
)

func plotCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "plot",
		Short: "Draw finished runs as PNG, SVG or PDF",
		Long: `Draw what run folders hold, into a file whose ending says the format.

  spotlighter plot bars runs -o hm.pdf
  spotlighter plot curves runs --metric loss -o loss.svg`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, kind := range []struct{ name, metric, short string }{
		{"bars", "hm", "The tables as bars: methods on each data set, with the deviation over seeds"},
		{"curves", "loss", "What runs measured at each epoch: a line a method, the mean over seeds"},
		{"effects", "hm", "The average over data sets against each setting in which the runs differ"},
	} {
		c.AddCommand(plotKindCommand(kind.name, kind.metric, kind.short))
	}
	return c
}

func plotKindCommand(kind, metric, short string) *cobra.Command {
	output := kind + ".png"
	c := &cobra.Command{
		Use:   kind + " RUNS...",
		Short: short,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, paths []string) error {
			if err := results.CheckFormat(output); err != nil {
				return usageError{err}
			}
			folders, err := openRuns(paths)
			if err != nil {
				return err
			}
			charts, err := results.Figure(kind, folders, baseline, metric)
			if err != nil {
				return err
			}
			if err := results.SavePlot(output, charts); err != nil {
				return err
			}
			_, err = fmt.Println(output)
			return err
		},
	}
	c.Flags().StringVar(&metric, "metric", metric, "what to draw")
	c.Flags().StringVarP(&output, "output", "o", output, "file to write: .png, .svg or .pdf")
	return c
}

// openRuns reads run folders; what is wrong with some of them is told, a line
// each, and does not keep the others from being shown.
func openRuns(paths []string) ([]results.Folder, error) {
	folders, err := results.Open(paths...)
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		for _, fault := range f.Faults {
			fmt.Fprintln(os.Stderr, "spotlighter: broken:", fault)
		}
	}
	return folders, nil
}
