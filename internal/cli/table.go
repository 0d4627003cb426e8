package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
	"spotlighter/experiments/methods"
	"spotlighter/internal/atomicfile"
	"spotlighter/results"
)

// everyMethod stands for all methods, by the settings that give each its own: those
// for the embedded CLIP, or the published ones for any other.
const (
	everyMethod      = "all"
	allMethodsConfig = "all-methods.yaml"
	publishedConfig  = "published.yaml"
)

// tableFlags are the flags of a table.
type tableFlags struct {
	config            string
	datasets, methods []string
	seeds             string
	shots             []int
	against           string
	formats           []string
	output            string
	dryRun, failFast  bool
	run               runFlags
}

func tableCommand() *cobra.Command {
	var f tableFlags
	c := &cobra.Command{
		Use:   "table PROTOCOL [key=value...]",
		Short: "Make a whole table: run the cells that are missing, and print it beside the paper's",
		Long: `Plan the cells of a table, show how many are done, missing and broken and what
time the rest takes, run what is missing, and write the table beside the paper's
numbers as Markdown, LaTeX (booktabs), CSV, JSON and HTML. PROTOCOL is one of
base-to-novel, few-shot, cross-dataset, domain-generalization and zero-shot; its
settings are those of experiments/PROTOCOL.yaml unless --config says otherwise.

  spotlighter table base-to-novel --datasets caltech101,dtd --methods clip,coop --seeds 1-3 data.root=DATA clip=WEIGHTS
  spotlighter table base-to-novel --methods all
  spotlighter table base-to-novel --methods all data.root=DATA clip=ViT-B-16.pt
  spotlighter table few-shot --shots 1,2,4,8,16 --datasets clutter --dry-run`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return makeTable(cmd.Context(), f, args[0], args[1:])
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.config, "config", "", "settings in place of the protocol's own")
	fl.StringSliceVar(&f.datasets, "datasets", nil, "data sets, in place of the configuration's")
	fl.StringSliceVar(&f.methods, "methods", nil, "methods, in place of the configuration's; "+everyMethod+": every method there is, each by its recipe in experiments/"+allMethodsConfig+" or, where clip is not the embedded one, experiments/"+publishedConfig)
	fl.StringVar(&f.seeds, "seeds", "", "seeds, such as 1-3, in place of the configuration's")
	fl.IntSliceVar(&f.shots, "shots", nil, "training images a class, such as 1,2,4,8,16, in place of the configuration's")
	fl.StringVar(&f.against, "against", "", "method that the others are tested against; default: coop, or else the first")
	fl.StringSliceVar(&f.formats, "formats", results.TableFormats, "files to write: "+strings.Join(results.TableFormats, ", "))
	fl.StringVarP(&f.output, "output", "o", "", "folder of the files; default: that of the run folders")
	fl.BoolVar(&f.dryRun, "dry-run", false, "show the plan and the table so far, and run and write nothing")
	fl.BoolVar(&f.failFast, "fail-fast", false, "end at the first cell that breaks")
	fl.BoolVar(&f.run.json, "json", false, "print the table as JSON")
	fl.BoolVar(&f.run.quiet, "quiet", false, "no progress")
	fl.BoolVar(&f.run.force, "force", false, "run what is done or begun anew")
	fl.IntVar(&f.run.threads, "threads", 0, "threads; 0: all cores")
	deviceFlag(fl, &f.run.device)
	return c
}

func makeTable(ctx context.Context, f tableFlags, protocol string, args []string) error {
	if err := f.validate(protocol); err != nil {
		return err
	}
	plan, err := planTable(f, protocol, args)
	if err != nil {
		return err
	}
	plan.look(f.run.force)
	if !f.run.quiet {
		fmt.Fprintln(os.Stderr, plan.summary())
	}
	var broken brokenCells
	if !f.dryRun {
		if err := plan.run(ctx, f.run, f.failFast); err != nil && !errors.As(err, &broken) {
			return err
		}
	}
	if err := plan.print(f); err != nil {
		return err
	}
	if broken.error != nil {
		return broken
	}
	return nil
}

func (f tableFlags) validate(protocol string) error {
	if !slices.Contains(experiments.Protocols, protocol) {
		return usageError{fmt.Errorf("table: protocol %q is none of %s", protocol, strings.Join(experiments.Protocols, ", "))}
	}
	for _, format := range f.formats {
		if !slices.Contains(results.TableFormats, format) {
			return usageError{fmt.Errorf("--formats: %q is none of %s", format, strings.Join(results.TableFormats, ", "))}
		}
	}
	for _, s := range f.shots {
		if err := wantAtLeast("--shots", s, 1); err != nil {
			return err
		}
	}
	return wantAtLeast("--threads", f.run.threads, 0)
}

// tablePlan is the cells of a table.
type tablePlan struct {
	cellPlan
	against string
}

// planTable lays out the cells.
func planTable(f tableFlags, protocol string, args []string) (*tablePlan, error) {
	overrides := append(slices.Clone(args), "protocol="+protocol)
	grid, err := gridOverrides(f.datasets, f.seeds)
	if err != nil {
		return nil, err
	}
	overrides = append(overrides, grid...)
	name, config := protocol, protocol+".yaml"
	if slices.Equal(f.methods, []string{everyMethod}) {
		name, config, f.methods = protocol+"-"+everyMethod, allMethodsConfig, methods.Names()
		if !experiments.EmbeddedClip(args) {
			config = publishedConfig
		}
	}
	if f.methods != nil {
		text, err := json.Marshal(f.methods) // which is YAML too
		if err != nil {
			return nil, err
		}
		overrides = append(overrides, "method="+string(text))
	}
	load := func(more ...string) (experiments.Config, error) {
		if f.config != "" {
			return experiments.Load(f.config, append(slices.Clone(overrides), more...))
		}
		return experiments.LoadEmbedded(config, append(slices.Clone(overrides), more...))
	}
	p := &tablePlan{cellPlan: cellPlan{name: name, protocol: protocol}, against: f.against}
	if p.cfg, err = load(); err != nil {
		return nil, err
	}
	if config == publishedConfig && f.config == "" && !f.run.quiet {
		fmt.Fprintf(os.Stderr, "clip is %s, not the embedded one: each method by its published recipe for base to novel, experiments/%s\n", p.cfg.Clip.Weights, config)
	}
	if err := f.run.set(&p.cfg); err != nil {
		return nil, err
	}
	if p.against == "" {
		p.against = p.cfg.Method[0]
		if slices.Contains(p.cfg.Method, baseline) {
			p.against = baseline
		}
	}
	if !slices.Contains(p.cfg.Method, p.against) {
		return nil, usageError{fmt.Errorf("--against: %q is none of the methods %s", p.against, strings.Join(p.cfg.Method, ", "))}
	}
	shots := f.shots
	if len(shots) == 0 {
		shots = []int{p.cfg.Shots}
	}
	seen := map[string]bool{}
	for _, n := range shots {
		cfg, err := load(fmt.Sprintf("shots=%d", n))
		if err != nil {
			return nil, err
		}
		cfg.Threads, cfg.Device = p.cfg.Threads, p.cfg.Device
		for _, cell := range cfg.Cells() {
			group, part := experiments.DatasetName(cell.Dataset[0]), ""
			if protocol == experiments.FewShot || len(shots) > 1 {
				if part = fmt.Sprintf("%d shots", n); n == 1 {
					part = "1 shot"
				}
				group += ", " + part
			}
			name := experiments.RunName(cell)
			if seen[name] {
				continue
			}
			seen[name] = true
			p.add(cell, results.Planned{Group: group, Part: part, Method: cell.Method[0], Seed: cell.Seed[0]})
		}
	}
	return p, nil
}

// print writes the files, unless the run is dry, and prints the table.
func (p *tablePlan) print(f tableFlags) error {
	command := "spotlighter " + strings.Join(quoted(os.Args[1:]), " ")
	table := results.Compare(p.protocol, command, p.against, p.planned)
	var paths []string
	formats := f.formats
	if f.dryRun {
		formats = nil
	}
	for _, format := range formats {
		text, err := table.Render(format)
		if err != nil {
			return err
		}
		folder := cmp.Or(f.output, p.cfg.Out)
		path := filepath.Join(folder, "table-"+p.name+"."+format)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("table: %w", err)
		}
		if err := atomicfile.WriteBytes(path, text); err != nil {
			return err
		}
		paths = append(paths, path)
	}
	if f.run.json {
		text, err := table.JSON()
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(text)
		return err
	}
	text := table.Terminal() + "\n"
	if len(paths) > 0 {
		text += "written: " + strings.Join(paths, " ") + "\n"
	}
	_, err := os.Stdout.WriteString(text)
	return err
}

// quoted puts arguments in quotes that a shell would split.
func quoted(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; strings.ContainsAny(a, " []'\"*?$&;|<>(){}") {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return out
}
