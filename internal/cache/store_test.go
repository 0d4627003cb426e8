package cache

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"spotlighter/internal/weights"
)

const width = 7

// row is what the row of that id holds.
func row(id string) []float32 {
	x := make([]float32, width)
	for i := range x {
		x[i] = float32(len(id)*100+i) / 3
		for _, c := range id {
			x[i] = x[i]*1.5 + float32(c)/7
		}
	}
	return x
}

func add(t testing.TB, s *Store, ids ...string) {
	t.Helper()
	var data []float32
	for _, id := range ids {
		data = append(data, row(id)...)
	}
	if err := s.Add(ids, map[string]weights.Tensor{"x": {Shape: []int{len(ids), width}, Data: data}}); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, dir, dtype string) *Store {
	t.Helper()
	s, err := Open(dir, "weights w, features f", dtype)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// same wants the row of that id, to the bit if tol is 0.
func same(t testing.TB, s *Store, id string, tol float32) {
	t.Helper()
	got, want := make([]float32, width), row(id)
	if err := s.Row("x", id, got); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if d := got[i] - want[i]; d > tol*want[i] || -d > tol*want[i] {
			t.Fatalf("row %s: %v, want %v", id, got, want)
		}
	}
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, F32)
	add(t, s, "a", "b")
	add(t, s, "c")
	other := open(t, dir, F32) // another run
	for _, id := range []string{"a", "b", "c"} {
		same(t, s, id, 0)
		same(t, other, id, 0)
	}
	if s.Has("d") || s.Row("x", "d", make([]float32, width)) == nil || s.Holds("y", "a") || !s.Holds("x", "a") {
		t.Error("a row or tensor that nobody wrote is there")
	}
	add(t, s, "d")
	if other.Has("d") {
		t.Error("known without looking")
	}
	if err := other.Refresh(); err != nil {
		t.Fatal(err)
	}
	same(t, other, "d", 0)

	half := open(t, dir, F16) // is another store
	if half.Has("a") {
		t.Error("stores of two types share rows")
	}
	add(t, half, "a")
	same(t, half, "a", 1e-3)
}

// A file that is damaged is computed again, not read.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, F32)
	add(t, s, "a", "b")
	files, err := filepath.Glob(filepath.Join(s.Dir, "*"+shardEnd))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0]+".new", content[:len(content)-5], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(files[0]+".new", files[0]); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, F32)
	if again.Has("a") {
		t.Error("rows of a file that is cut short are there")
	}
	add(t, again, "a", "b")
	same(t, again, "b", 0)
}

func TestListAndPrune(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	old, recent := open(t, dir, F32), open(t, dir, F16)
	add(t, old, "a")
	add(t, recent, "a")
	before := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(filepath.Join(old.Dir, aboutFile), before, before); err != nil {
		t.Fatal(err)
	}
	all, err := List(dir)
	if err != nil || len(all) != 2 || all[0].Type != F16 || all[1].Features != "weights w, features f" || all[1].Files != 1 || all[1].Bytes < 4*width {
		t.Fatalf("%+v, %v", all, err)
	}
	if used, left, err := Room(dir); err != nil || used != all[0].Bytes+all[1].Bytes || left == 0 {
		t.Errorf("used %d, left %d, %v", used, left, err)
	}
	gone, err := Prune(dir, time.Now().Add(-24*time.Hour), 1<<40)
	if err != nil || len(gone) != 1 || gone[0].Type != F32 {
		t.Fatalf("by age: %+v, %v", gone, err)
	}
	same(t, old, "a", 0) // what is open stays
	add(t, old, "b")     // and the folder comes back
	same(t, open(t, dir, F32), "b", 0)
	if gone, err = Prune(dir, time.Time{}, -1); err != nil || len(gone) != 2 {
		t.Fatalf("all: %+v, %v", gone, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "note.txt")); err != nil {
		t.Error("a file that is no store is gone")
	}
}

// TestProcesses has several processes fill one store at once, kills them without
// warning, again and again, and then wants every row that is there to be right
// and the rest to be computable.
func TestProcesses(t *testing.T) {
	const rows = 400
	id := func(i int) string { return fmt.Sprint("row ", i) }
	if dir := os.Getenv("CACHE_FILLER"); dir != "" {
		from, err := strconv.Atoi(os.Getenv("CACHE_FROM"))
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, F32)
		for k := 0; k < rows; k += 2 {
			i := (from + k) % rows
			if !s.Has(id(i)) || !s.Has(id(i+1)) {
				add(t, s, id(i), id(i+1))
			}
		}
		return
	}
	dir := t.TempDir()
	start := func(from int) *exec.Cmd {
		c := exec.Command(os.Args[0], "-test.run=^TestProcesses$")
		c.Env = append(os.Environ(), "CACHE_FILLER="+dir, "CACHE_FROM="+strconv.Itoa(from))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for round := range 4 {
		a, b := start(0), start(20)
		time.Sleep(time.Duration(60+40*round) * time.Millisecond)
		for _, c := range []*exec.Cmd{a, b} {
			c.Process.Kill() // SIGKILL
			c.Wait()
		}
		s := open(t, dir, F32)
		for i := range rows {
			if s.Has(id(i)) {
				same(t, s, id(i), 0)
			}
		}
	}
	a, b := start(0), start(20)
	for _, c := range []*exec.Cmd{a, b} {
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, F32)
	for i := range rows {
		same(t, s, id(i), 0)
	}
	// What was half-written goes once its process cannot be at work.
	temps, _ := filepath.Glob(filepath.Join(s.Dir, ".*"))
	t.Logf("%d files half-written", len(temps))
	past := time.Now().Add(-2 * tempAge)
	for _, f := range temps {
		os.Chtimes(f, past, past)
	}
	open(t, dir, F32)
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s is still there", e.Name())
		}
	}
}
