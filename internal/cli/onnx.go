package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
)

// onnxFlags are the flags of the command onnx.
type onnxFlags struct {
	run, classes, program, output string
	batch, check                  int
}

func onnxCommand() *cobra.Command {
	var f onnxFlags
	c := &cobra.Command{
		Use:   "onnx (CONFIG.yaml [key=value...] | --run RUN) -o FILE.onnx",
		Short: "Export an image encoder, or what a run learned, as an ONNX model with its weights",
		Long: `Write a program as a model in ONNX's standard operators, for other runtimes: of a
configuration's first method the frozen image encoder (encode), of a finished run
what it learned, from images to the logits of its classes (predict), with what it
looked at. The weights are part of the file; beyond 2 GiB they are in FILE.onnx.data,
beside it.

Models take images [batch, 3, S, S], float32: the shorter side resized to S by
bicubic interpolation, the middle square, each channel less its mean and divided by
its deviation. The model's metadata have these numbers, and the classes.

  spotlighter onnx experiments/base-to-novel.yaml clip=ViT-B-16.safetensors -o encode.onnx
  spotlighter onnx --run runs/coop+spotlighter-clutter-s1-0123abcd -o predict.onnx

--check N also writes the folder test_data_set_0 beside the file: what goes into the
program, for N test images of the data set, and what comes out of it, as ONNX's own
tests have it.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.validate(args); err != nil {
				return err
			}
			return f.export(cmd.Context(), args)
		},
	}
	c.Flags().StringVar(&f.run, "run", "", "folder of a finished run")
	c.Flags().StringVar(&f.program, "program", "", "encode or predict; else predict of a run, encode of a configuration")
	c.Flags().StringVar(&f.classes, "classes", "", "file with a class name a line, in place of the run's classes")
	c.Flags().IntVar(&f.batch, "batch", 0, "how many images the model takes; 0: any number")
	c.Flags().IntVar(&f.check, "check", 0, "write what the program makes of so many test images, too")
	c.Flags().StringVarP(&f.output, "output", "o", "", "the `FILE` to write")
	return c
}

func (f *onnxFlags) validate(args []string) error {
	wrong := func(format string, a ...any) error { return usageError{fmt.Errorf("onnx: "+format, a...)} }
	if f.program == "" {
		f.program = "encode"
		if f.run != "" {
			f.program = "predict"
		}
	}
	switch {
	case f.output == "":
		return wrong("want -o FILE")
	case (f.run == "") == (len(args) == 0):
		return wrong("want a configuration, or --run and no more arguments")
	case f.program != "encode" && f.program != "predict":
		return wrong("--program: found %q, want encode or predict", f.program)
	case f.program == "predict" && f.run == "":
		return wrong("program predict is of what was learned: want --run, a finished run's folder")
	case f.classes != "" && f.program != "predict":
		return wrong("--classes belongs to program predict")
	case f.check > 0 && f.batch > 0 && f.check != f.batch:
		return wrong("--check: found %d, want %d as --batch, or no --batch", f.check, f.batch)
	}
	return cmp.Or(wantAtLeast("--batch", f.batch, 0), wantAtLeast("--check", f.check, 0))
}

// open makes the model.
func (f *onnxFlags) open(ctx context.Context, args []string) (*experiments.Exported, error) {
	if f.run == "" {
		c, err := experiments.Load(args[0], args[1:])
		if err != nil {
			return nil, err
		}
		return experiments.ExportEncode(ctx, c.Cells()[0], f.batch)
	}
	names, err := readClasses(f.classes)
	if err != nil {
		return nil, err
	}
	t, err := experiments.OpenTrained(ctx, f.run, experiments.Use{Classes: names, Batch: 1, Views: true})
	if err != nil {
		return nil, err
	}
	if f.program == "encode" {
		return experiments.ExportEncode(ctx, t.Config, f.batch)
	}
	return t.Export(f.batch)
}

func (f *onnxFlags) export(ctx context.Context, args []string) error {
	x, err := f.open(ctx, args)
	if err != nil {
		return err
	}
	written, err := x.Save(f.output)
	if err != nil {
		return err
	}
	if f.check > 0 {
		if err := x.SaveTestData(ctx, filepath.Dir(f.output), f.check); err != nil {
			return err
		}
	}
	for _, path := range written {
		i, err := os.Stat(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s\t%.1f MB\n", path, float64(i.Size())/1e6)
	}
	fmt.Printf("%d operators: %s to %s\n", x.Nodes(), strings.Join(x.Inputs(), ", "), strings.Join(x.Outputs(), ", "))
	return nil
}
