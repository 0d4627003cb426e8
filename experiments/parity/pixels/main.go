// Command pixels writes the squares that a CLIP of a given size reads from
// images, as bytes [n, S, S, 3], for pixels.py to compare.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"

	"spotlighter/vit/preprocess"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pixels:", err)
		os.Exit(1)
	}
}

// run takes a size, the file to write, and images.
func run(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("wanted a size, a file to write and images")
	}
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	f, err := os.Create(args[1])
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for _, path := range args[2:] {
		img, err := preprocess.Decode(path)
		if err != nil {
			return err
		}
		if _, err := w.Write(preprocess.CLIP(size).Square(img).Pix); err != nil {
			return err
		}
	}
	return w.Flush()
}
