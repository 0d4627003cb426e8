package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"spotlighter/results"
)

func reportCommand() *cobra.Command {
	output := "report.html"
	against := baseline
	c := &cobra.Command{
		Use:   "report RUNS...",
		Short: "Write runs as one page: tables, curves, classes, kept tokens, settings",
		Long: `Write everything that run folders hold as one HTML file, which needs no network:
tables, learning curves, the classes against zero-shot, images with their kept
tokens, and the settings in which the runs differ. RUNS are run folders, or
folders with run folders below them.

  spotlighter report runs -o report.html`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, paths []string) error {
			folders, err := openRuns(paths)
			if err != nil {
				return err
			}
			if err := results.WriteReport(output, folders, against); err != nil {
				return err
			}
			_, err = fmt.Println(output)
			return err
		},
	}
	c.Flags().StringVarP(&output, "output", "o", output, "file to write")
	c.Flags().StringVar(&against, "baseline", against, "method that the others are compared with")
	return c
}
