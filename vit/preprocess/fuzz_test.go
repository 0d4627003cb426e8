package preprocess

import (
	"bytes"
	"image"
	"os"
	"path/filepath"
	"testing"
)

// FuzzDecode wants an image of the size that its content has, or an error.
func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"*.jpg", "*.png", "*.tif", "*.gif", "*.webp", "*.bmp"} {
		paths, _ := filepath.Glob("testdata/" + pattern)
		for _, path := range paths {
			if content, err := os.ReadFile(path); err == nil && len(content) < 3000 {
				f.Add(content)
			}
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		turn := orientation(content)
		if as, ok := relabelled(content); ok && large(as) || large(content) {
			return // a valid picture that takes long
		}
		m, err := decode(content)
		if err != nil {
			return
		}
		if len(m.Pix) != 3*m.W*m.H || m.W < 1 || m.H < 1 {
			t.Fatalf("%d x %d with %d bytes", m.W, m.H, len(m.Pix))
		}
		if u := upright(m, turn); u.W*u.H != m.W*m.H {
			t.Fatalf("orientation %d makes %d x %d of %d x %d", turn, u.W, u.H, m.W, m.H)
		}
	})
}

func large(content []byte) bool {
	c, _, err := image.DecodeConfig(bytes.NewReader(content))
	return err == nil && c.Width > 0 && c.Height > (1<<18)/c.Width
}
