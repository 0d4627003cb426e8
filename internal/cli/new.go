package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/internal/scaffold"
)

func newCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new op|layer|method|dataset NAME",
		Short: "Write the files that an extension starts from: code, test, experiment",
		Long: `Write a new operation, layer, method or data set into the source that the current
folder is in: the file, its test and, for what runs can use, an experiment. What
is written works and passes its test as it stands, so that there is something to
change one line at a time. Nothing is overwritten.

  spotlighter new op soft_step          layers/soft_step.go, a gradient checked
  spotlighter new layer adapter         layers/adapter.go, weights with names
  spotlighter new method prompt-mean    experiments/methods/prompt_mean.go, a row of the table
  spotlighter new dataset birds         internal/datasets/birds.go, read from a list`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("found %d arguments, want a kind (%s) and a name", len(args), strings.Join(scaffold.Kinds, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := scaffold.Root(".")
			if err != nil {
				return err
			}
			written, err := scaffold.New(root, args[0], args[1])
			if err != nil {
				return err
			}
			for _, w := range written {
				fmt.Fprintln(cmd.OutOrStdout(), w)
			}
			return nil
		},
	}
}
