package cli

import (
	"os"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
)

func configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config CONFIG.yaml [key=value...]",
		Short: "Print a configuration with all its values and where each comes from",
		Long: `Print a configuration as it would run: every key with its value, and beside it
where that comes from: the default, a line of the file, of a file that it
includes, or an override. What is printed is itself a configuration.

  spotlighter config experiments/few-shot.yaml shots=4`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := experiments.Resolve(args[0], args[1:])
			if err != nil {
				return err
			}
			_, err = os.Stdout.Write(r.YAML())
			return err
		},
	}
}
