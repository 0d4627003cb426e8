package tiny

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
	"sync"
	"testing"
)

// golden are digests of pictures, masks and captions. They hold on every
// platform; the same test under an emulator of another one proves it:
//
//	GOARCH=arm64 go test -exec qemu-aarch64-static ./internal/tiny
var golden = map[string]string{
	"canvas":      "4b4583d3bfe0b22814afb12065cd6d1162fc05896cc271138755c07a6ce448c5",
	"clutter":     "fb6fb9973a3ee89b9b148a4fd7e126ab9df9805552d9e4f8ff22c40f4468c79a",
	"dusk":        "7f4f4b1abc6dfd12bd5555ee0fafc9513a1f4a225ff23957b3ad75ad7dddd6b3",
	"fog":         "d1bae6f63a91a01a2d8bfc0a877cd30a2a49ce2c8438b86b2c0368c7e8558715",
	"tuning-1":    "bd02396d0713532044f0cbb9697327c134b58667a2e6ae28fcfea70e28ae9110",
	"tuning-2":    "84a48f332912afe4437de00e60a39f93f3ac09ea2f403e07f6a4fa56f888a4e8",
	"tuning-3":    "d1e184d7472b9cf7c2193c6136f0f68094636733190a3b8d5801753eef2a8bf1",
	"tuning-4":    "87dac83663de259f69fd62f4321f3a01aeeeb3cc47443690316d016deeb5f6b0",
	"pretraining": "7fa6d15d020cbec96747cdcc8f6015c4e19d96aa0214524a0f265ecc9c6d4cd9",
	"validation":  "f73b036850222e99fabae405ad8f3dca3ff2cd7c2df7c1f8f3b796c711fb5ca3",
}

func TestPicturesAreTheSameEverywhere(t *testing.T) {
	check := func(name string, n int, example func(i int) (Image, string)) {
		t.Run(name, func(t *testing.T) {
			images, captions := make([]Image, n), make([]string, n)
			var wg sync.WaitGroup
			for i := n - 1; i >= 0; i-- { // any order, any goroutine
				wg.Go(func() { images[i], captions[i] = example(i) })
			}
			wg.Wait()
			h := sha256.New()
			for i, image := range images {
				digest(h, image)
				h.Write([]byte(captions[i]))
			}
			if got := hex.EncodeToString(h.Sum(nil)); got != golden[name] {
				t.Errorf("%q: %q", name, got)
			}
		})
	}
	for _, task := range Tasks() {
		check(task.Name, 2*task.Classes, func(i int) (Image, string) {
			return task.Render([]string{"train", "test"}[i%2], uint64(i/8), i/2, i), task.ClassNames()[i/2]
		})
	}
	check("pretraining", 200, func(i int) (Image, string) { return PretrainExample(5, uint64(i)) })
	check("validation", 48, func(i int) (Image, string) {
		image, label := RenderHeld(9, 3*i)
		return image, Held()[label].String()
	})
}

// Rounding to bytes hides most differences in the last bit; the canvas shows them all.
func TestCanvasIsTheSameEverywhere(t *testing.T) {
	h := sha256.New()
	for i := range len(shapes) * len(patterns) {
		r := newRandom(uint64(i))
		c := new(canvas)
		c.paintBackground(i%len(backgrounds), r)
		var cover coverage
		c.paint(object{Triple{i / len(patterns), i % len(colours), i % len(patterns)}, 30.3, 33.1, 12.7, .01 * float64(i)}, r, &cover)
		c.blur(.1 * float64(i+1))
		binary.Write(h, binary.LittleEndian, c.plane)
		binary.Write(h, binary.LittleEndian, cover)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != golden["canvas"] {
		t.Errorf("%q: %q", "canvas", got)
	}
}

func digest(h hash.Hash, image Image) {
	h.Write(image.RGB)
	for _, m := range image.Mask {
		h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(m)))
	}
}

func TestArgumentsOfRenderMatter(t *testing.T) {
	task := Tasks()[0]
	other := task
	other.Seed++
	seen := map[[32]byte]int{}
	for i, image := range []Image{
		task.Render("train", 1, 0, 0), task.Render("test", 1, 0, 0), task.Render("train", 2, 0, 0),
		task.Render("train", 1, 1, 0), task.Render("train", 1, 0, 1), other.Render("train", 1, 0, 0),
	} {
		sum := sha256.Sum256(image.RGB)
		if before, ok := seen[sum]; ok {
			t.Errorf("pictures %d and %d are the same", before, i)
		}
		seen[sum] = i
	}
}

// Two pictures that differ in the object's colour alone differ where the mask says.
func TestMaskIsWhereTheObjectIs(t *testing.T) {
	for shape := range shapes {
		s := plainScene(Triple{shape, 0, plain}, snow) // red
		s.fragments = [2]int{3, 3}
		s.look.noise = 0
		for seed := range uint64(4) {
			a, radius := s.render(newRandom(seed))
			s.object.Colour = 5 // blue
			b, _ := s.render(newRandom(seed))
			s.object.Colour = 0
			var covered float64
			for p, m := range a.Mask {
				if m < 0 || m > 1 || b.Mask[p] != m {
					t.Fatalf("%s, patch %d: mask %v and %v", shapes[shape], p, m, b.Mask[p])
				}
				var changed float64
				for i := range Patch * Patch {
					x, y := p%Grid*Patch+i%Patch, p/Grid*Patch+i/Patch
					at := (y*Size + x) * 3
					changed += math.Abs(float64(a.RGB[at])-float64(b.RGB[at])) / 255
				}
				// Full cover changes a pixel by .76, jitter and clamping aside.
				least, most := float64(m)*Patch*Patch*.55, float64(m)*Patch*Patch*.95
				if changed < least-.1 || changed > most+.1 {
					t.Errorf("%s, seed %d, patch %d: mask %v, red changed by %v, want %v to %v", shapes[shape], seed, p, m, changed, least, most)
				}
				covered += float64(m)
			}
			if share := covered * Patch * Patch / (radius * radius); share < .4 || share > 2.4 {
				t.Errorf("%s: area %.2f radius^2", shapes[shape], share)
			}
		}
	}
}

func BenchmarkRender(b *testing.B) {
	for _, task := range Tasks()[:3] {
		b.Run(task.Name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				task.Render("train", 0, i%task.Classes, i)
			}
		})
	}
}

func BenchmarkPretrainExample(b *testing.B) {
	for i := uint64(0); b.Loop(); i++ {
		PretrainExample(0, i)
	}
}
