package cli

import (
	"fmt"
	"math"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"spotlighter/internal/cache"
)

func cacheCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "cache",
		Short: "List and remove the features that cache: disk keeps",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.PersistentFlags().StringVar(&dir, "dir", "", "folder of the features (cache_dir); empty: the one in the user's cache")
	folder := func() (string, error) {
		if dir != "" {
			return dir, nil
		}
		return cache.DefaultDir()
	}
	c.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List what is kept, the last used first",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, err := folder()
			if err != nil {
				return err
			}
			entries, err := cache.List(dir)
			if err != nil {
				return err
			}
			return printCache(dir, entries, "")
		},
	})
	var keep float64
	var unused time.Duration
	var all bool
	prune := &cobra.Command{
		Use:   "prune",
		Short: "Remove what was not used for long, or does not fit a size",
		Long: `Remove features that were not used for as long as --unused says, and then the
longest unused ones until the rest fits --keep. Runs at work are not disturbed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := folder()
			if err != nil {
				return err
			}
			if !all && unused == 0 && !cmd.Flags().Changed("keep") {
				return usageError{fmt.Errorf("cache prune: nothing said to remove; give --unused, --keep or --all")}
			}
			bytes, since := int64(math.MaxInt64), time.Time{}
			if cmd.Flags().Changed("keep") {
				bytes = int64(keep * (1 << 30))
			}
			if unused > 0 {
				since = time.Now().Add(-unused)
			}
			if all {
				bytes = -1
			}
			gone, err := cache.Prune(dir, since, bytes)
			if err != nil {
				return err
			}
			return printCache(dir, gone, "removed ")
		},
	}
	prune.Flags().Float64Var(&keep, "keep", 0, "GiB that may stay")
	prune.Flags().DurationVar(&unused, "unused", 0, "remove what was not used for so long, such as 720h")
	prune.Flags().BoolVar(&all, "all", false, "remove everything")
	c.AddCommand(prune)
	return c
}

// printCache lists stores and their sum.
func printCache(dir string, entries []cache.Entry, verb string) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	var sum int64
	for _, e := range entries {
		sum += e.Bytes
		fmt.Fprintf(w, "%s\t%.3f GiB\t%d files\t%s\tused %s\t%s\n", e.Name, float64(e.Bytes)/(1<<30), e.Files, e.Type, e.Used.Format("2006-01-02 15:04"), e.Features)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Printf("%s%d stores, %.3f GiB, in %s\n", verb, len(entries), float64(sum)/(1<<30), dir)
	return err
}
