package cli

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/internal/datasets"
	"spotlighter/results"
	"spotlighter/vit/preprocess"
)

// A contact sheet shows this many images, each a square of this many pixels.
const (
	sheetImages = 16
	sheetSide   = 192
)

func dataShowCommand(f *dataFlags) *cobra.Command {
	var out string
	var seed int
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Draw a contact sheet: 16 images with their class names, as the encoder sees them",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkNames(args); err != nil {
				return err
			}
			d, err := datasets.Open(args[0], f.root, f.seed)
			if err != nil {
				return err
			}
			say(d)
			var tiles []results.Tile
			for _, item := range spread(d, sheetImages, seed) {
				img, err := preprocess.Decode(item.Path)
				if err != nil {
					return err
				}
				square := preprocess.CLIP(sheetSide).Square(img)
				tiles = append(tiles, results.Tile{RGB: square.Pix, W: square.W, H: square.H,
					Caption: strings.ReplaceAll(d.Classes[item.Label], "_", " ")})
			}
			if out == "" {
				out = filepath.Base(strings.ReplaceAll(d.Name, ":", "/")) + ".png"
			}
			size := d.Size()
			title := fmt.Sprintf("%s: %d classes, %d + %d + %d images", d.Name, size.Classes, size.Train, size.Val, size.Test)
			if err := results.Contact(out, title, tiles); err != nil {
				return err
			}
			fmt.Println(out)
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "PNG file; the default is NAME.png")
	c.Flags().IntVar(&seed, "seed", 1, "which images are shown")
	return c
}

// spread picks n images of classes spread evenly over the data set.
func spread(d *datasets.Dataset, n, seed int) []datasets.Item {
	items := d.Train
	if len(items) == 0 {
		items = d.Test
	}
	byLabel := make([][]datasets.Item, len(d.Classes))
	for _, it := range items {
		byLabel[it.Label] = append(byLabel[it.Label], it)
	}
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	var out []datasets.Item
	for i := range n {
		class := byLabel[i*len(byLabel)/n]
		out = append(out, class[r.IntN(len(class))])
	}
	return out
}
