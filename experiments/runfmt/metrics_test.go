package runfmt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadMetrics(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadMetrics(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	const whole = `{"epoch":1,"loss":1.5,"lr":0.02}` + "\n" + `{"epoch":2,"loss":1.25,"lr":0.01}` + "\n"
	path := filepath.Join(dir, MetricsFile)
	for _, test := range []struct {
		text, want string
		lines      int
	}{
		{"", "", 0},
		{whole, "", 2},
		{whole[:len(whole)-1], ":2: cut in the middle of the line after 33 bytes", 1},
		{whole[:40], ":2: cut in the middle of the line after 7 bytes", 1},
		{whole + "{\"epoch\":3,\"lo\x00\n" + whole, ":3: not a whole line (byte 15: ", 2},
		{whole + "[3]\n", ":3: not a whole line (", 2},
		{`{"loss":1}` + "\n", ":1: epoch: found <nil>, want a whole number from 1", 0},
		{`{"epoch":1.5}` + "\n", ":1: epoch: found 1.5, want", 0},
		{`{"epoch":1,"loss":"NaN"}` + "\n", ":1: loss: found NaN, want a number", 0},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := ReadMetrics(dir)
		if len(got) != test.lines {
			t.Errorf("%q: %d lines, want %d", test.text, len(got), test.lines)
		}
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q: %v", test.text, err)
		case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), path+test.want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%q: error %v, want one line with %s", test.text, err, test.want)
		}
		if len(got) > 1 && (got[1].Epoch != 2 || got[1].Values["loss"] != 1.25 || got[1].Values["lr"] != .01 || len(got[1].Values) != 2) {
			t.Errorf("%q: %+v", test.text, got[1])
		}
	}
}
