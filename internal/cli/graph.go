package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
	"spotlighter/graph/draw"
	"spotlighter/internal/atomicfile"
)

// graphFlags are the flags of the command graph.
type graphFlags struct {
	depth        int
	format       string
	diff, output string
	program      string
}

var graphFormats = []string{"html", "svg", "dot", "json"}

func graphCommand() *cobra.Command {
	var f graphFlags
	c := &cobra.Command{
		Use:   "graph CONFIG.yaml [key=value...] -o FILE",
		Short: "Draw a configuration's graphs: layers as boxes, shapes on edges; what an ablation changed",
		Long: `Draw the programs of a configuration's method: the image encoder (encode), a step
of training (step), and what test images go through (classify). Layers are nested
boxes, with shapes on the edges; trainable, frozen and state, forward, backward and
update have colours of their own. The page's boxes open and close.

The configuration's first method, data set and seed are drawn. --diff draws what a
second configuration adds, removes and changes, or the same one with another value
of a key; overrides hold for both.

  spotlighter graph experiments/quickstart.yaml method=coop+spotlighter -o graph.html
  spotlighter graph experiments/quickstart.yaml method=coop+spotlighter --diff spotlight.irm=false --program step -o diff.html`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			g, err := f.open(cmd.Context(), args[0], args[1:])
			if err != nil {
				return err
			}
			if f.diff != "" {
				path, overrides := f.diff, args[1:]
				if strings.Contains(f.diff, "=") {
					path, overrides = args[0], append(slices.Clone(overrides), f.diff)
				}
				to, err := f.open(cmd.Context(), path, overrides)
				if err != nil {
					return err
				}
				g = draw.Diff(g, to)
			}
			return f.write(g)
		},
	}
	c.Flags().IntVar(&f.depth, "depth", 2, "levels of layers that are open; the page's others can be opened")
	c.Flags().StringVar(&f.format, "format", "", strings.Join(graphFormats, ", ")+"; else by the file's name")
	c.Flags().StringVar(&f.diff, "diff", "", "draw what `CONFIG2.yaml` changes, or a key=value")
	c.Flags().StringVar(&f.program, "program", "", "draw one program alone: encode, step or classify")
	c.Flags().StringVarP(&f.output, "output", "o", "", "the `FILE` to write")
	return c
}

func (f *graphFlags) check() error {
	if f.output == "" {
		return usageError{fmt.Errorf("graph: want -o FILE")}
	}
	if f.format == "" {
		f.format = strings.TrimPrefix(filepath.Ext(f.output), ".")
	}
	if !slices.Contains(graphFormats, f.format) {
		return usageError{fmt.Errorf("graph: format %q of %s, want one of %s", f.format, f.output, strings.Join(graphFormats, ", "))}
	}
	return wantAtLeast("--depth", f.depth, 0)
}

// open makes the graph of a configuration's first cell.
func (f *graphFlags) open(ctx context.Context, path string, overrides []string) (*draw.Graph, error) {
	cfg, err := experiments.Load(path, overrides)
	if err != nil {
		return nil, err
	}
	c := cfg.Cells()[0]
	if n := len(cfg.Method); n > 1 {
		fmt.Fprintf(os.Stderr, "drawn: %s, the first of %d methods (method=%s draws another)\n", c.Method[0], n, cfg.Method[1])
	}
	lab, err := experiments.NewLab(c)
	if err != nil {
		return nil, err
	}
	programs, err := lab.Programs(ctx, c)
	if err != nil {
		return nil, err
	}
	if f.program != "" {
		var have []string
		at := -1
		for i, p := range programs {
			have = append(have, p.Title())
			if p.Title() == f.program {
				at = i
			}
		}
		if at < 0 {
			return nil, fmt.Errorf("%s: %s has no program %q, it has %s", path, c.Method[0], f.program, strings.Join(have, ", "))
		}
		programs = programs[at : at+1]
	}
	return draw.New(strings.Join(append([]string{filepath.Base(path)}, overrides...), " ")+", "+c.Method[0], programs), nil
}

func (f *graphFlags) write(g *draw.Graph) error {
	if f.diff != "" {
		added, removed, changed := g.Changes()
		fmt.Printf("%d ops and values added, %d removed, %d changed\n", added, removed, changed)
	}
	err := atomicfile.Write(f.output, func(w io.Writer) error {
		switch f.format {
		case "html":
			return g.WriteHTML(w, f.depth)
		case "json":
			e := json.NewEncoder(w)
			e.SetIndent("", " ")
			return e.Encode(g)
		}
		g.Fold(f.depth)
		if f.format == "dot" {
			return g.WriteDOT(w)
		}
		return g.WriteSVG(w)
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", f.output, g.Title)
	return nil
}
