package preprocess

import (
	"bytes"
	"fmt"
	"image"

	"golang.org/x/image/tiff"
)

// Tags of a TIFF's directory.
const (
	tagPhotometric  = 262
	tagExtraSamples = 338

	photometricRGB       = 2
	photometricSeparated = 5 // inks: CMYK
)

// decodeInks reads a relabelled TIFF: its red, green, blue and alpha are inks.
func decodeInks(content []byte) (*RGB, error) {
	img, err := tiff.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	inks, ok := img.(*image.NRGBA)
	if !ok {
		return nil, fmt.Errorf("TIFF: inks of type %T, wanted four of 8 bits", img)
	}
	return FromImage(&image.CMYK{Pix: inks.Pix, Stride: inks.Stride, Rect: inks.Rect}), nil
}

// relabelled makes a TIFF of four inks, which the library refuses, one that it
// reads: the same file under a directory that calls the inks red, green, blue
// and straight alpha. ok is false if content is not such a TIFF.
func relabelled(content []byte) (as []byte, ok bool) {
	order, ok := byteOrder(content)
	if !ok || len(content) < 8 || int64(len(content)) > 1<<31 {
		return nil, false
	}
	at := int64(order.Uint32(content[4:]))
	if at+2 > int64(len(content)) {
		return nil, false
	}
	n := int64(order.Uint16(content[at:]))
	if at+2+12*n > int64(len(content)) {
		return nil, false
	}
	var entries []byte
	count, inks := 0, false
	extra := make([]byte, 12)
	order.PutUint16(extra, tagExtraSamples)
	order.PutUint16(extra[2:], 3) // of type SHORT
	order.PutUint32(extra[4:], 1)
	order.PutUint16(extra[8:], 2) // straight alpha
	added := false
	for i := range n {
		e := append([]byte(nil), content[at+2+12*i:at+2+12*i+12]...)
		tag := order.Uint16(e)
		if tag == tagPhotometric && order.Uint16(e[8:]) == photometricSeparated {
			order.PutUint16(e[8:], photometricRGB)
			inks = true
		}
		if tag >= tagExtraSamples && !added {
			entries, count, added = append(entries, extra...), count+1, true
		}
		if tag != tagExtraSamples {
			entries, count = append(entries, e...), count+1
		}
	}
	if !added {
		entries, count = append(entries, extra...), count+1
	}
	if !inks {
		return nil, false
	}
	out := append([]byte(nil), content...)
	if len(out)%2 == 1 {
		out = append(out, 0)
	}
	order.PutUint32(out[4:], uint32(len(out)))
	out = append(out, 0, 0)
	order.PutUint16(out[len(out)-2:], uint16(count))
	out = append(out, entries...)
	return append(out, 0, 0, 0, 0), true // no further directory
}
