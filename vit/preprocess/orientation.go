package preprocess

import (
	"bytes"
	"encoding/binary"
)

// orientationTag is EXIF's tag for how the camera was held.
const orientationTag = 0x112

// orientation returns the EXIF orientation of a JPEG, PNG, WebP or TIFF file, 1
// to 8; 1, upright, where nothing sensible is said.
func orientation(content []byte) int {
	exif := exifOf(content)
	if len(exif) < 8 {
		return 1
	}
	order, ok := byteOrder(exif)
	if !ok {
		return 1
	}
	at := int64(order.Uint32(exif[4:]))
	if at > int64(len(exif)-2) {
		return 1
	}
	n := int(order.Uint16(exif[at:]))
	for i := range n {
		e := at + 2 + 12*int64(i)
		if e+12 > int64(len(exif)) {
			break
		}
		if order.Uint16(exif[e:]) == orientationTag {
			if v := int(order.Uint16(exif[e+8:])); v >= 1 && v <= 8 {
				return v
			}
		}
	}
	return 1
}

func byteOrder(tiff []byte) (binary.ByteOrder, bool) {
	switch {
	case bytes.HasPrefix(tiff, []byte("II*\x00")):
		return binary.LittleEndian, true
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		return binary.BigEndian, true
	}
	return nil, false
}

// exifOf finds the EXIF block, which is a TIFF file of its own; nil if there is
// none.
func exifOf(content []byte) []byte {
	mark := []byte("Exif\x00\x00")
	switch {
	case bytes.HasPrefix(content, []byte("\xff\xd8")):
		for at := 2; at+4 <= len(content) && content[at] == 0xff && content[at+1] != 0xda; {
			size := int(binary.BigEndian.Uint16(content[at+2:]))
			end := min(at+2+size, len(content))
			if content[at+1] == 0xe1 && end > at+4 && bytes.HasPrefix(content[at+4:end], mark) {
				return content[at+4+len(mark) : end]
			}
			at += 2 + size
		}
	case bytes.HasPrefix(content, []byte("\x89PNG\r\n\x1a\n")):
		for at := int64(8); at+8 <= int64(len(content)); {
			size := int64(binary.BigEndian.Uint32(content[at:]))
			end := min(at+8+size, int64(len(content)))
			if string(content[at+4:at+8]) == "eXIf" {
				return content[at+8 : end]
			}
			at += 12 + size
		}
	case bytes.HasPrefix(content, []byte("RIFF")):
		for at := int64(12); at+8 <= int64(len(content)); {
			size := int64(binary.LittleEndian.Uint32(content[at+4:]))
			end := min(at+8+size, int64(len(content)))
			if string(content[at:at+4]) == "EXIF" {
				return bytes.TrimPrefix(content[at+8:end], mark)
			}
			at += 8 + size + size%2
		}
	default:
		if _, ok := byteOrder(content); ok {
			return content
		}
	}
	return nil
}

// upright undoes an EXIF orientation.
func upright(m *RGB, orientation int) *RGB {
	if orientation == 1 {
		return m
	}
	w, h := m.W, m.H
	if orientation >= 5 { // rows and columns change places
		w, h = h, w
	}
	out := NewRGB(w, h)
	for y := range h {
		for x := range w {
			u, v := x, y // where the pixel comes from
			if orientation >= 5 {
				u, v = y, x
			}
			switch orientation {
			case 2, 7, 3, 8:
				u = m.W - 1 - u
			}
			switch orientation {
			case 3, 4, 6, 7:
				v = m.H - 1 - v
			}
			copy(out.Pix[3*(y*w+x):][:3], m.Pix[3*(v*m.W+u):])
		}
	}
	return out
}
