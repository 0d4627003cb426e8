package tensorboard

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// events reads a file back: each event's fields by number.
func events(t *testing.T, path string) []map[protowire.Number][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[protowire.Number][]byte
	for len(text) > 0 {
		n := binary.LittleEndian.Uint64(text)
		data := text[12 : 12+n]
		for _, sum := range []struct {
			of  []byte
			got uint32
		}{{text[:8], binary.LittleEndian.Uint32(text[8:])}, {data, binary.LittleEndian.Uint32(text[12+n:])}} {
			crc := crc32.Checksum(sum.of, castagnoli)
			if want := (crc>>15 | crc<<17) + 0xa282ead8; sum.got != want {
				t.Fatalf("checksum %x, want %x", sum.got, want)
			}
		}
		text = text[16+n:]
		fields := map[protowire.Number][]byte{}
		for len(data) > 0 {
			number, kind, k := protowire.ConsumeTag(data)
			size := protowire.ConsumeFieldValue(number, kind, data[k:])
			if k < 0 || size < 0 {
				t.Fatal("not a message")
			}
			fields[number], data = data[k:k+size], data[k+size:]
		}
		all = append(all, fields)
	}
	return all
}

// The checksum of the record format on a value that its authors give.
func TestMask(t *testing.T) {
	if got := crc32.Checksum([]byte("123456789"), castagnoli); got != 0xe3069283 {
		t.Errorf("crc32c %x", got)
	}
	if got := mask(0); got != 0xa282ead8 {
		t.Errorf("mask %x", got)
	}
}

// Times in a file never go backwards, whatever the clock does; a later session
// says from which step on it counts, and its file's name sorts after the first's.
func TestWriter(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	w.now = func() time.Time { now = now.Add(-time.Hour); return now }
	for step, v := range []float64{3, 2.5} {
		if err := w.Scalar("loss", step, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Image("kept", 2, []byte("png"), 5, 6); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Create(dir, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	paths, _ := filepath.Glob(filepath.Join(dir, Pattern))
	if len(paths) != 2 {
		t.Fatalf("files %v", paths)
	}
	first := events(t, paths[0])
	if len(first) != 4 || !bytes.HasSuffix(first[0][fileVersion], []byte("brain.Event:2")) {
		t.Fatalf("%d events, the first %v", len(first), first[0])
	}
	last := 0.
	for i, e := range first {
		at := math.Float64frombits(binary.LittleEndian.Uint64(e[wallTime]))
		if at < last || at < 1e9 {
			t.Errorf("event %d at %g, before it %g", i, at, last)
		}
		last = at
	}
	if want := []byte("\x0a\x04loss\x15\x00\x00\x20\x40"); !bytes.HasSuffix(first[2][summary], want) { // 2.5 in 32 bits
		t.Errorf("scalar event %x, want it to end in %x", first[2][summary], want)
	}
	restart := events(t, paths[1])
	if len(restart) != 2 || restart[1][stepField][0] != 1 || !bytes.Equal(restart[1][sessionLog], []byte{2, 8, 1}) {
		t.Errorf("second session %v", restart)
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	w := &Writer{f: full, now: time.Now}
	if err := w.Scalar("x", 1, 1); err == nil {
		t.Error("no error")
	}
	if _, err := Create(filepath.Join(t.TempDir(), "none"), 1, 0); err == nil {
		t.Error("no folder, no error")
	}
}
