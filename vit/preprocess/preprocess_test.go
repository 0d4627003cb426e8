package preprocess

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// difference returns the mean and the largest difference of two images.
func difference(t *testing.T, got, want *RGB) (mean float64, most int) {
	t.Helper()
	if got.W != want.W || got.H != want.H || len(got.Pix) != len(want.Pix) {
		t.Fatalf("%d x %d, want %d x %d", got.W, got.H, want.W, want.H)
	}
	for i := range got.Pix {
		d := max(got.Pix[i], want.Pix[i]) - min(got.Pix[i], want.Pix[i])
		mean += float64(d) / float64(len(got.Pix))
		most = max(most, int(d))
	}
	return mean, most
}

func mustDecode(t *testing.T, path string) *RGB {
	t.Helper()
	m, err := Decode(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPillow compares each kind of file with what Pillow reads from it and
// makes of it (testdata/make_reference.py). Lossless kinds are exact; lossy
// ones differ by the decoders' inverse DCT.
func TestPillow(t *testing.T) {
	refs, err := filepath.Glob("testdata/*.ref.png")
	if err != nil || len(refs) < 15 {
		t.Fatalf("%d references, %v", len(refs), err)
	}
	for _, ref := range refs {
		path := strings.TrimSuffix(ref, ".ref.png")
		t.Run(filepath.Base(path), func(t *testing.T) {
			mean, most := 0.0, 0
			switch {
			case strings.HasSuffix(path, ".jpg"):
				mean, most = 0.06, 3
			case strings.HasSuffix(path, "lossy.webp"): // libwebp rounds chroma otherwise
				mean, most = 0.15, 3
			}
			got := mustDecode(t, path)
			if a, b := difference(t, got, mustDecode(t, ref)); a > mean || b > most {
				t.Errorf("decoded: mean difference %.3f, largest %d, want at most %.3f, %d", a, b, mean, most)
			}
			got = CenterCrop(ResizeShorter(got, 32), 32)
			if a, b := difference(t, got, mustDecode(t, path+".crop.png")); a > 1.5*mean+0.01 || b > most+1 {
				t.Errorf("cropped: mean difference %.3f, largest %d", a, b)
			}
		})
	}
}

// TestUpright turns pictures of all eight orientations, in three formats, and
// leaves them alone where it is not asked to.
func TestUpright(t *testing.T) {
	refs, err := filepath.Glob("testdata/*.upright.png")
	if err != nil || len(refs) != 8 {
		t.Fatalf("%d references, %v", len(refs), err)
	}
	for _, ref := range refs {
		path := strings.TrimSuffix(ref, ".upright.png")
		got, err := DecodeUpright(path)
		if err != nil {
			t.Fatal(err)
		}
		if mean, most := difference(t, got, mustDecode(t, ref)); mean > 0.06 || most > 3 {
			t.Errorf("%s: mean difference %.3f, largest %d", path, mean, most)
		}
		if m := mustDecode(t, path); m.W != 61 || m.H != 45 {
			t.Errorf("%s: %d x %d without turning", path, m.W, m.H)
		}
	}
}

// TestVerticalChroma holds 4:4:0, which Pillow does not write, against 4:2:2 of
// the transposed image: libjpeg's two filters are each other's transpose.
func TestVerticalChroma(t *testing.T) {
	const w, h = 9, 13
	wide := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio422)
	tall := image.NewYCbCr(image.Rect(0, 0, h, w), image.YCbCrSubsampleRatio440)
	for y := range h {
		for x := range w {
			wide.Y[wide.YOffset(x, y)] = uint8(100 + x + y)
			tall.Y[tall.YOffset(y, x)] = uint8(100 + x + y)
			wide.Cb[wide.COffset(x, y)] = uint8(37 * (x/2 + 3*y))
			tall.Cb[tall.COffset(y, x)] = uint8(37 * (x/2 + 3*y))
			wide.Cr[wide.COffset(x, y)] = uint8(59 * (2*(x/2) + y))
			tall.Cr[tall.COffset(y, x)] = uint8(59 * (2*(x/2) + y))
		}
	}
	a, b := FromImage(wide), FromImage(tall)
	for y := range h {
		for x := range w {
			if a.At(x, y) != b.At(y, x) {
				t.Fatalf("(%d, %d): %v, transposed %v", x, y, a.At(x, y), b.At(y, x))
			}
		}
	}
}

// TestApply works one pixel out by hand and checks the layout.
func TestApply(t *testing.T) {
	m := NewRGB(4, 2)
	m.Pix[3*(1*4+2)+1] = 255 // green at (2, 1), which is (1, 1) of the middle square
	got := CLIP(2).Apply(m)
	for i, v := range got {
		c := i / 4
		want := -CLIPMean[c] / CLIPStd[c]
		if i == 4+3 {
			want = (1 - CLIPMean[1]) / CLIPStd[1]
		}
		if math.Abs(float64(v-want)) > 1e-6 {
			t.Errorf("position %d: %g, want %g", i, v, want)
		}
	}
	if len(got) != 12 {
		t.Errorf("%d values, want 12", len(got))
	}
}

// TestCropMargin has the odd margins for which torchvision rounds to even.
func TestCropMargin(t *testing.T) {
	m := NewRGB(9, 7)
	for i := range m.Pix {
		m.Pix[i] = uint8(i / 3)
	}
	for size, want := range map[int]uint8{4: 2*9 + 2, 2: 2*9 + 4, 7: 1} { // margins 5, 3; 7, 5; 2, 0
		if got := CenterCrop(m, size).Pix[0]; got != want {
			t.Errorf("size %d starts at pixel %d, want %d", size, got, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	jpeg, err := os.ReadFile("testdata/420.jpg")
	if err != nil {
		t.Fatal(err)
	}
	header := func(w, h uint32) []byte { // a PNG of that size without pixels
		chunk := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
		chunk = append(chunk, 8, 2, 0, 0, 0)
		out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
		return binary.BigEndian.AppendUint32(append(out, chunk...), crc32.ChecksumIEEE(chunk))
	}
	dir := t.TempDir()
	for want, content := range map[string][]byte{
		"empty":               nil,
		"not an image":        []byte("<!DOCTYPE html><html></html>"),
		"invalid JPEG":        jpeg[:len(jpeg)/2],
		"too many":            header(1<<20, 1<<20),
		"more than 256 times": header(100, 30000),
		"unexpected EOF":      append(slices.Clone(jpeg[:30]), bytes.Repeat([]byte{0xAA}, 50)...),
	} {
		path := filepath.Join(dir, "x.jpg")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Decode(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with the path and %q", err, want)
		}
	}
	if _, err := Decode(filepath.Join(dir, "absent.jpg")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("absent: %v", err)
	}
}

func BenchmarkApply(b *testing.B) {
	m, err := Decode("testdata/420.jpg")
	if err != nil {
		b.Fatal(err)
	}
	big := Resize(m, 300, 200)
	for b.Loop() {
		CLIP(224).Apply(big)
	}
}

// BenchmarkJPEG is a photograph's way from file to tensor, at the size that most
// of the data sets have.
func BenchmarkJPEG(b *testing.B) {
	img := NewRGB(500, 375)
	for i := range img.Pix {
		x, y := i/3%500, i/1500
		img.Pix[i] = uint8(128 + 60*math.Sin(float64(x*y)/900+float64(i%3)) + 30*math.Sin(float64(x)/3))
	}
	path := filepath.Join(b.TempDir(), "photo.jpg")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := jpeg.Encode(f, img, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m, err := Decode(path)
		if err != nil {
			b.Fatal(err)
		}
		CLIP(224).Apply(m)
	}
}
