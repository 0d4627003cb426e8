package experiments

import (
	"context"
	"time"

	"spotlighter/graph"
)

// imagesInput is the input that programs are fed the pictures themselves by.
const imagesInput = "images"

// pixels is what a user is told of pictures that are kept themselves.
const pixels = "pixels"

// imageBytes is the memory that one picture takes, as the encoder reads it.
func (e *encoder) imageBytes() int64 { return 4 * int64(e.images.Shape[1:].TotalSize()) }

// keepImages keeps the pictures themselves in memory, if they are not there yet.
func (f *features) keepImages(ctx context.Context, done func(share float64)) error {
	if f.images.F32 != nil {
		return nil
	}
	shape := f.enc.images.Shape.Clone()
	shape[0] = len(f.pictures)
	images := graph.NewTensor(graph.Float32, shape...)
	for at := 0; at < len(f.pictures); at += encodeBatch {
		idx := span(at, min(at+encodeBatch, len(f.pictures)))
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.enc.load(func(b int) []float32 { return images.Row(idx[b]) }, f.pictures, idx, f.view, f.Masks); err != nil {
			return err
		}
		done(float64(at+len(idx)) / float64(len(f.pictures)))
	}
	f.images = images
	return nil
}

// fillImages puts pictures idx, normalised, into dst [B, 3, S, S], row by row: those
// that are kept, or decoded anew.
func (f *features) fillImages(idx []int, dst graph.Tensor) error {
	if f.images.F32 == nil {
		return f.enc.load(dst.Row, f.pictures, idx, f.view, f.Masks)
	}
	for b, i := range idx {
		copy(dst.Row(b), f.images.Row(i))
	}
	return nil
}

// loadSpeed measures decoding: seconds an image, over one batch.
func (e *encoder) loadSpeed(pictures []Picture) (float64, error) {
	n := min(encodeBatch, len(pictures))
	start := time.Now()
	err := e.load(e.images.Row, pictures, span(0, n), nil, nil)
	return time.Since(start).Seconds() / float64(n), err
}
