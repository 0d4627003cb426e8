package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
	"spotlighter/vit/preprocess"
)

// predictFlags are the flags of the predict command.
type predictFlags struct {
	run, classes string
	top, threads int
	device       string
	json         bool
}

func predictCommand() *cobra.Command {
	var f predictFlags
	c := &cobra.Command{
		Use:   "predict --run RUN IMAGES...",
		Short: "Classify images of your own by a finished run",
		Long: `Classify images by what a run learned, among its classes or among others. A path
may be a folder: then it stands for all images in it. A dash reads paths from the
standard input, one a line. Any number of files is read a batch at a time; what
cannot be read is told and left out, and makes the exit code 1.

  spotlighter predict --run runs/coop+spotlighter-clutter-s1-0123abcd photos
  find / -name '*.jpg' | spotlighter predict --run RUN --classes pets.txt --json -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if f.run == "" {
				return usageError{errors.New("--run is needed: the folder of a finished run")}
			}
			if err := cmp.Or(wantAtLeast("--top", f.top, 1), wantAtLeast("--threads", f.threads, 0), checkDevice(f.device)); err != nil {
				return err
			}
			return predict(command.Context(), f, args)
		},
	}
	c.Flags().StringVar(&f.run, "run", "", "folder of a finished run")
	c.Flags().StringVar(&f.classes, "classes", "", "file with a class name a line, in place of the run's classes")
	c.Flags().IntVar(&f.top, "top", 5, "how many classes are told of each image")
	c.Flags().BoolVar(&f.json, "json", false, "print a JSON object a line")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads; 0: all cores")
	deviceFlag(c.Flags(), &f.device)
	return c
}

func predict(ctx context.Context, f predictFlags, args []string) error {
	names, err := readClasses(f.classes)
	if err != nil {
		return err
	}
	next, stop := iter.Pull2(eachImage(args, os.Stdin))
	defer stop()
	p := &predictor{predictFlags: f, out: bufio.NewWriter(os.Stdout), names: names}
	for more := true; more; {
		var batch []string
		for len(batch) < encodeBatch {
			path, err, ok := next()
			if err != nil {
				return cmp.Or(p.classify(ctx, batch), err)
			}
			if more = ok; !ok {
				break
			}
			batch = append(batch, path)
		}
		if err := p.classify(ctx, batch); err != nil {
			return err
		}
	}
	if p.bad > 0 {
		return fmt.Errorf("%d of %d images were left out", p.bad, p.bad+p.good)
	}
	return nil
}

// predictor classifies batches of files.
type predictor struct {
	predictFlags
	names     []string
	trained   *experiments.Trained // opened when the first batch is known
	out       *bufio.Writer
	good, bad int
}

// prediction is a line of the JSON output.
type prediction struct {
	Image string              `json:"image"`
	Top   []experiments.Guess `json:"top,omitempty"`
	Error string              `json:"error,omitempty"`
}

func (p *predictor) classify(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	if p.trained == nil {
		var err error
		p.trained, err = experiments.OpenTrained(ctx, p.run, experiments.Use{Classes: p.names, Batch: len(paths), Threads: p.threads, Device: p.device})
		if err != nil {
			return err
		}
		tell(p.trained)
	}
	faults, err := p.trained.Classify(ctx, len(paths), func(i int) (*preprocess.RGB, error) { return preprocess.Decode(paths[i]) })
	if err != nil {
		return err
	}
	for i, path := range paths {
		line := prediction{Image: path}
		if faults[i] != nil {
			p.bad++
			line.Error = oneLine(faults[i])
			fmt.Fprintln(os.Stderr, "spotlighter: left out:", line.Error)
		} else {
			p.good++
			line.Top = p.trained.Top(i, p.top)
		}
		if err := p.print(line); err != nil {
			return err
		}
	}
	return p.out.Flush()
}

func (p *predictor) print(line prediction) error {
	if p.json {
		text, err := json.Marshal(line)
		if err != nil {
			return err
		}
		_, err = p.out.Write(append(text, '\n'))
		return err
	}
	if line.Error != "" {
		return nil
	}
	fmt.Fprint(p.out, line.Image)
	for _, g := range line.Top {
		fmt.Fprintf(p.out, "\t%s %.1f%%", g.Class, 100*g.Probability)
	}
	return p.out.WriteByte('\n')
}

// eachImage gives the files that paths stand for, one at a time: no list of them
// is held.
func eachImage(paths []string, stdin io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, path := range paths {
			if path == "-" {
				lines := bufio.NewScanner(stdin)
				for lines.Scan() {
					if name := lines.Text(); name != "" && !yield(name, nil) {
						return
					}
				}
				if err := lines.Err(); err != nil {
					yield("", fmt.Errorf("standard input: %w", err))
					return
				}
				continue
			}
			if _, err := os.Stat(path); err != nil { // the reader says what is wrong with it
				if !yield(path, nil) {
					return
				}
				continue
			}
			found := false
			err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				if d.IsDir() || p != path && !(d.Type().IsRegular() && isImage(p)) {
					return nil
				}
				found = true
				if !yield(p, nil) {
					return fs.SkipAll
				}
				return nil
			})
			if err == nil && !found {
				err = fmt.Errorf("folder %s: no images in it", path)
			}
			if err != nil {
				yield("", err)
				return
			}
		}
	}
}

// readClasses reads class names, one a line; nil without a file.
func readClasses(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("classes: %w", err)
	}
	text = bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("\ufeff")), []byte("\n"))
	first := map[string]int{}
	var names []string
	for i, line := range strings.Split(string(text), "\n") {
		name := strings.TrimSpace(line)
		switch n, twice := first[name]; {
		case name == "":
			return nil, fmt.Errorf("classes %s, line %d: an empty class name", path, i+1)
		case twice:
			return nil, fmt.Errorf("classes %s, line %d: %q is there already, on line %d", path, i+1, name, n)
		}
		first[name] = i + 1
		names = append(names, name)
	}
	return names, nil
}
