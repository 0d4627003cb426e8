package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/internal/datasets"
)

// dataVariable names the folder of the data sets where no flag does.
const dataVariable = "SPOTLIGHTER_DATA"

// dataFlags are the flags of all data commands.
type dataFlags struct {
	root string
	seed int
	json bool
}

func dataCommand() *cobra.Command {
	var f dataFlags
	c := &cobra.Command{
		Use:   "data",
		Short: "List, check, show and sample data sets of image files",
		Long: `List, check, show and sample data sets of image files. They lie in one folder, laid
out as CoOp's instructions say; "folder" is that folder itself, and "folder:SUB" a
folder in it, with images of your own in a folder a class.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command \"data %s\"; see spotlighter data --help", args[0])}
			}
			return cmd.Help()
		},
	}
	c.PersistentFlags().StringVar(&f.root, "root", cmp.Or(os.Getenv(dataVariable), "data"), "folder of the data sets; the default is $"+dataVariable+" or data")
	c.PersistentFlags().IntVar(&f.seed, "split-seed", 1, "splits a data set that has no split of its own")
	c.AddCommand(dataListCommand(&f), dataCheckCommand(&f), dataShowCommand(&f), dataSampleCommand(&f))
	return c
}

// checkNames refuses data sets that there are not.
func checkNames(names []string) error {
	for _, name := range names {
		if !datasets.Known(name) {
			return usageError{fmt.Errorf("data set %q is unknown, wanted one of: %s", name, strings.Join(datasets.Names(), ", "))}
		}
	}
	return nil
}

// say prints what a user should know of how a data set was read.
func say(d *datasets.Dataset) {
	for _, n := range d.Notes {
		fmt.Fprintf(os.Stderr, "%s: %s\n", d.Name, n)
	}
}

// absent says that a data set's folder is not there at all.
func (f *dataFlags) absent(name string) bool {
	guide, _ := datasets.Describe(name)
	folder := guide.Folder
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(f.root, folder)
	}
	_, err := os.Stat(folder)
	return errors.Is(err, fs.ErrNotExist)
}
