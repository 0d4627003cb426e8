package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return fmt.Sprint(names)
}

// leave puts a temporary file of that age there, as a killed process does.
func leave(t *testing.T, path string, age time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-age)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
}

// A file is replaced as a whole, or stays as it was and leaves nothing beside it.
func TestWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	if err := WriteBytes(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	err := Write(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, "sec"); err != nil {
			return err
		}
		return full
	})
	if !errors.Is(err, full) || err.Error() != "write "+path+": disk full" {
		t.Errorf("the error is %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "first" {
		t.Errorf("%q, %v after a failed write, want the first content", text, err)
	}
	if got := list(t, dir); got != "[a.json]" {
		t.Errorf("the folder has %s", got)
	}
}

// Where there is no folder it is named, not the temporary file in it.
func TestMissingFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	path := filepath.Join(dir, "a.json")
	err := WriteBytes(path, nil)
	if want := "write " + path + ": open " + dir + ": "; !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

// What a killed process left of a path goes with the next write of that path; what
// another process may be writing, and what belongs to other paths, stays.
func TestLeftoversGo(t *testing.T) {
	dir := t.TempDir()
	leave(t, filepath.Join(dir, ".a.json.123.tmp"), 2*stale)
	leave(t, filepath.Join(dir, ".a.json.456.tmp"), time.Second)
	leave(t, filepath.Join(dir, ".b.json.789.tmp"), 2*stale)
	leave(t, filepath.Join(dir, "a.json.tmp"), 2*stale)
	if err := WriteBytes(filepath.Join(dir, "a.json"), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := list(t, dir), "[.a.json.456.tmp .b.json.789.tmp a.json a.json.tmp]"; got != want {
		t.Errorf("the folder has %s, want %s", got, want)
	}
	if err := Clean(dir); err != nil {
		t.Fatal(err)
	}
	if got, want := list(t, dir), "[a.json a.json.tmp]"; got != want {
		t.Errorf("the cleaned folder has %s, want %s", got, want)
	}
}
