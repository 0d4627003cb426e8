package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/graph/cpu"
	"spotlighter/internal/clip"
	"spotlighter/internal/weights"
	"spotlighter/vit/preprocess"
)

// encodeBatch is how many images or texts are encoded at a time.
const encodeBatch = 32

// encodeFlags are the flags of the encode command.
type encodeFlags struct {
	clip, texts, out        string
	images                  []string
	patches, unit, truncate bool
	upright                 bool
	threads                 int
	device, math            string
}

func encodeCommand() *cobra.Command {
	var f encodeFlags
	c := &cobra.Command{
		Use:   "encode --clip FILE [--images PATH...] [--texts FILE] --out F.safetensors",
		Short: "Write a CLIP's features of images and texts",
		Long: `Write a CLIP's features of images and texts as safetensors: "image" [n, D],
"patches" [n, N, D] with --patches, and "text" [m, D], not normalised. The
metadata "images" and "texts" name the rows, as JSON. A path of an image may be
a folder: then it stands for all images in it.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && len(f.images) == 0 {
				return usageError{fmt.Errorf("%q: images go after --images", args[0])}
			}
			f.images = append(f.images, args...)
			switch {
			case f.clip == "" || f.out == "":
				return usageError{errors.New("--clip and --out are needed")}
			case len(f.images) == 0 && f.texts == "":
				return usageError{errors.New("nothing to encode: give --images or --texts")}
			}
			return encode(cmd.Context(), f)
		},
	}
	c.Flags().StringVar(&f.clip, "clip", "", "checkpoint, a file or a folder")
	c.Flags().StringArrayVar(&f.images, "images", nil, "images or folders of images; more may follow")
	c.Flags().StringVar(&f.texts, "texts", "", "file with a text a line")
	c.Flags().StringVar(&f.out, "out", "", "file to write")
	c.Flags().BoolVar(&f.patches, "patches", false, "also the projected tokens of the patches")
	c.Flags().BoolVar(&f.unit, "unit", false, "scale every row to length 1")
	c.Flags().BoolVar(&f.upright, "upright", false, "turn images as their EXIF data say; the reference does not")
	c.Flags().BoolVar(&f.truncate, "truncate", false, "cut texts that are too long, in place of an error")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads; 0: all cores")
	deviceFlag(c.Flags(), &f.device)
	mathFlag(c.Flags(), &f.math)
	return c
}

func encode(ctx context.Context, f encodeFlags) error {
	d, err := openDevice(f.device, f.math)
	if err != nil {
		return err
	}
	paths, err := imageFiles(f.images)
	if err != nil {
		return err
	}
	m, err := clip.Open(f.clip)
	if err != nil {
		return err
	}
	m = m.On(d)
	if f.truncate {
		m = m.Truncating()
	}
	pool := cpu.NewPool(f.threads)
	stream := weights.NewStream(f.out)
	defer stream.Close()
	meta := map[string]string{"clip": filepath.Base(f.clip), "clip.sha256": m.Hash}
	if len(paths) > 0 {
		if err := encodeImages(ctx, m, pool, f, paths, stream); err != nil {
			return err
		}
		meta["images"] = asJSON(paths)
	}
	if f.texts != "" {
		texts, err := encodeTexts(ctx, m, pool, f, stream)
		if err != nil {
			return err
		}
		meta["texts"] = asJSON(texts)
	}
	if err := stream.Save(meta); err != nil {
		return err
	}
	fmt.Printf("%s: %d images\n", f.out, len(paths))
	return nil
}

func asJSON(names []string) string {
	b, _ := json.Marshal(names) // strings always marshal
	return string(b)
}

// imageFiles lists the files that paths stand for, in order.
func imageFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("image %s: no such file", path)
		}
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		before := len(files)
		err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && isImage(p) {
				files = append(files, p)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, fmt.Errorf("folder %s: no images in it", path)
		}
	}
	return files, nil
}

// isImage looks at the ending alone: what is in a folder besides images is not
// opened.
func isImage(path string) bool {
	return slices.Contains([]string{".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"},
		strings.ToLower(filepath.Ext(path)))
}

func encodeImages(ctx context.Context, m *clip.Model, pool *cpu.Pool, f encodeFlags, paths []string, stream *weights.Stream) error {
	enc, err := clip.NewImageEncoder(m, pool, min(encodeBatch, len(paths)), f.patches)
	if err != nil {
		return err
	}
	decode := preprocess.Decode
	if f.upright {
		decode = preprocess.DecodeUpright
	}
	bar := newCount(len(paths))
	defer bar.Clear()
	for at := 0; at < len(paths); at += encodeBatch {
		n := min(encodeBatch, len(paths)-at)
		features, patches, err := enc.Encode(ctx, n, func(i int) (*preprocess.RGB, error) { return decode(paths[at+i]) })
		if err != nil {
			return err
		}
		d := m.Vision.Embed
		if err := addRows(stream, "image", []int{d}, features.F32[:n*d], d, f.unit); err != nil {
			return err
		}
		if f.patches {
			k := m.Vision.Patches()
			if err := addRows(stream, "patches", []int{k, d}, patches.F32[:n*k*d], d, f.unit); err != nil {
				return err
			}
		}
		_ = bar.Add(n)
	}
	return nil
}

// addRows appends rows to a tensor, each vector of d scaled to length 1 if unit.
func addRows(stream *weights.Stream, name string, shape []int, values []float32, d int, unit bool) error {
	for i := 0; unit && i < len(values); i += d {
		clip.Unit(values[i : i+d])
	}
	return stream.Add(name, shape, values)
}

func encodeTexts(ctx context.Context, m *clip.Model, pool *cpu.Pool, f encodeFlags, stream *weights.Stream) ([]string, error) {
	file, err := os.Open(f.texts)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	enc := clip.NewTextEncoder(m, pool, encodeBatch)
	var texts, batch []string
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		features, err := enc.Encode(ctx, batch)
		if err != nil {
			return err
		}
		d := m.Text.Embed
		err = addRows(stream, "text", []int{d}, features.F32[:len(batch)*d], d, f.unit)
		batch = batch[:0]
		return err
	}
	err = eachLine(file, f.texts, func(text string) error {
		if _, err := m.Tokens(text); err != nil { // here the line is known
			return err
		}
		texts, batch = append(texts, text), append(batch, text)
		if len(batch) < encodeBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil && len(texts) == 0 {
		err = fmt.Errorf("%s: no texts in it", f.texts)
	}
	return texts, err
}
