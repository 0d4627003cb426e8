package cpu

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// raceEnabled is set where the race detector adds allocations of its own.
var raceEnabled bool

// TestPathFromEnvironment runs this test's own binary under other environments.
func TestPathFromEnvironment(t *testing.T) {
	if os.Getenv("PRINT_PATH") != "" {
		name, err := Path()
		os.Stdout.WriteString("path " + name + "\n")
		if err != nil {
			os.Stdout.WriteString("error " + err.Error() + "\n")
		}
		return
	}
	best := Paths()[0]
	for value, want := range map[string]string{
		"":     "path " + best + "\n",
		"go":   "path go\n",
		"sse9": "path " + best + "\nerror SPOTLIGHTER_CPU: no kernels \"sse9\" for this processor, it has " + strings.Join(Paths(), ", ") + "\n",
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPathFromEnvironment$")
		cmd.Env = append(os.Environ(), "PRINT_PATH=1", PathVariable+"="+value)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(string(out), "PASS\n"); got != want {
			t.Errorf("%s=%q prints %q, want %q", PathVariable, value, got, want)
		}
	}
}

func TestUseRefuses(t *testing.T) {
	was, _ := Path()
	if err := Use("mmx"); err == nil {
		t.Error("no error for kernels that do not exist")
	}
	if now, _ := Path(); now != was {
		t.Errorf("a refused name changed the path from %s to %s", was, now)
	}
}
