package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"spotlighter/internal/clip"
	"spotlighter/internal/weights"
	"spotlighter/internal/weights/catalogue"
)

func weightsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "weights",
		Short: "List, fetch, check and convert the weights of CLIP models",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command \"weights %s\"; see spotlighter weights --help", args[0])}
			}
			return cmd.Help()
		},
	}
	c.AddCommand(weightsListCommand(), weightsGetCommand(), weightsCheckCommand(), weightsConvertCommand())
	return c
}

func weightsListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the models that get can fetch",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			models, err := catalogue.Models()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "name\tMB\tlicence\tSHA-256\tpublished at")
			for _, m := range models {
				fmt.Fprintf(w, "%s\t%.0f\t%s\t%s\t%s\n", m.Name, float64(m.Bytes)/1e6, m.Licence, m.SHA256, m.URL)
			}
			return w.Flush()
		},
	}
}

func weightsGetCommand() *cobra.Command {
	var url, mirror, out string
	c := &cobra.Command{
		Use:   "get NAME",
		Short: "Fetch a published model and check its SHA-256",
		Long: `Fetch a published model, see spotlighter weights list, and check its SHA-256. A
download that was cut goes on where it stopped. The environment's proxy
(HTTPS_PROXY, NO_PROXY) is respected.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := catalogue.Find(args[0])
			if err != nil {
				return usageError{err}
			}
			switch {
			case url != "" && mirror != "":
				return usageError{fmt.Errorf("--url and --mirror exclude each other")}
			case mirror != "":
				url = strings.TrimSuffix(mirror, "/") + "/" + m.File
			case url == "":
				url = m.URL
			}
			if out == "" {
				out = m.File
			}
			bar := newBar(m.Bytes)
			err = catalogue.NewFetcher(func(done, _ int64) { _ = bar.Set64(done) }).Get(cmd.Context(), m, url, out)
			_ = bar.Clear()
			if err != nil {
				return err
			}
			fmt.Printf("%s: %s, %d bytes, SHA-256 as published\n", out, m.Name, m.Bytes)
			return nil
		},
	}
	c.Flags().StringVar(&url, "url", "", "fetch from this address in place of the published one")
	c.Flags().StringVar(&mirror, "mirror", "", "fetch the file from a folder at this address")
	c.Flags().StringVar(&out, "out", "", "file to write; the published name in this folder if empty")
	return c
}

// newBar shows bytes on a terminal, and nothing elsewhere.
func newBar(total int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total, progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))),
		progressbar.OptionShowBytes(true), progressbar.OptionThrottle(1e8))
}

// newCount counts on a terminal, and shows nothing elsewhere.
func newCount(total int) *progressbar.ProgressBar {
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(1e8))
}

// addActivation is the flag for state dicts that do not say their activation.
func addActivation(c *cobra.Command, activation *string) {
	c.Flags().StringVar(activation, "activation", "", "quick_gelu or gelu, where the file does not say which")
}

func weightsCheckCommand() *cobra.Command {
	var activation string
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Say what a checkpoint is: architecture, parameters, missing and unknown tensors",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := clip.Inspect(args[0], activation)
			if err != nil {
				return err
			}
			defer c.Close()
			fit, err := c.Fit()
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			describe(c)
			for _, p := range []struct {
				what  string
				names []string
			}{{"missing", fit.Missing}, {"unknown", fit.Unknown}, {"misshapen", fit.Misshapen}} {
				for _, name := range p.names {
					fmt.Printf("%s\t%s\n", p.what, name)
				}
			}
			if n := len(fit.Missing) + len(fit.Unknown) + len(fit.Misshapen); n > 0 {
				return fmt.Errorf("%s: %d tensors do not fit", args[0], n)
			}
			if _, err := c.Model(); err != nil {
				return err
			}
			fmt.Println("every tensor is there and finite")
			return nil
		},
	}
	addActivation(c, &activation)
	return c
}

func describe(c *clip.Checkpoint) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	v, t := c.Vision, c.Text
	act := clip.QuickGELU
	if v.ExactGELU {
		act = clip.GELU
	}
	fmt.Fprintf(w, "file\t%s\n", c.File.Name())
	fmt.Fprintf(w, "format\t%s, names of %s\n", c.File.Format(), c.Source)
	fmt.Fprintf(w, "images\t%d x %d pixels, patches of %d: %d tokens\n", v.ImageSize, v.ImageSize, v.PatchSize, v.Patches()+1)
	fmt.Fprintf(w, "image encoder\t%d layers, width %d, %d heads, MLP %d\n", v.Layers, v.Width, v.Heads, v.Hidden)
	fmt.Fprintf(w, "text encoder\t%d layers, width %d, %d heads, MLP %d, %d words, %d positions\n", t.Layers, t.Width, t.Heads, t.Hidden, t.Vocabulary, t.Context)
	fmt.Fprintf(w, "activation\t%s\n", act)
	fmt.Fprintf(w, "joint width\t%d\n", v.Embed)
	fmt.Fprintf(w, "parameters\t%d in %d tensors\n", c.Parameters(), len(c.File.Names()))
}

func weightsConvertCommand() *cobra.Command {
	var activation, dtype string
	c := &cobra.Command{
		Use:   "convert IN OUT.safetensors",
		Short: "Write a checkpoint of any kind as safetensors with OpenAI's names",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if filepath.Ext(args[1]) != ".safetensors" {
				return usageError{fmt.Errorf("%q does not end in .safetensors", args[1])}
			}
			c, err := clip.Inspect(args[0], activation)
			if err != nil {
				return err
			}
			defer c.Close()
			if err := c.Check(); err != nil {
				return err
			}
			if err := weights.Copy(args[1], c.File, c.Metadata(), strings.ToUpper(dtype)); err != nil {
				return err
			}
			info, err := os.Stat(args[1])
			if err != nil {
				return err
			}
			fmt.Printf("%s: %d tensors, %d bytes\n", args[1], len(c.File.Names()), info.Size())
			return nil
		},
	}
	addActivation(c, &activation)
	c.Flags().StringVar(&dtype, "type", "F32", "type of the numbers: F32 or F16")
	return c
}
