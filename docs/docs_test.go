// Package docs_test holds the documentation to what the program does.
//
// A block of Go or YAML begins with a comment that is a path. Where the reader has
// that file, the block is a piece of it, word for word; where not, it is written,
// and Go is vetted. The commands of a console block are run, and must print what
// is shown. Those of a shell block ask for a cluster, for weights or for hours:
// their flags and configurations are checked, and of tables and sweeps the plan.
package docs_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func pages(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("pages %v, %v", names, err)
	}
	return names
}

// reader is somebody with a clone who does what the pages say.
type reader struct{ dir string }

func newReader(t *testing.T) reader {
	t.Helper()
	r := reader{t.TempDir()}
	// Files that are not committed yet count too; those that git ignores do not.
	clone := exec.Command("bash", "-c", `git ls-files --cached --others --exclude-standard -z |
		tar --null --create --ignore-failed-read --files-from=- 2>/dev/null | tar --extract --directory "$0"`, r.dir)
	clone.Dir = ".."
	if out, err := clone.CombinedOutput(); err != nil {
		t.Fatalf("a copy of the source: %v: %s", err, out)
	}
	return r
}

// run runs a command in the clone and returns what it prints and its exit code.
func (r reader) run(t *testing.T, shell string) (string, int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "bash", "-c", shell)
	c.Dir = r.dir
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatalf("%s: %v", shell, err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// TestPages reads every page in one clone, in the order of their names.
func TestPages(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program several times")
	}
	r := newReader(t)
	if out, code := r.run(t, "go build -o spotlighter ."); code != 0 {
		t.Fatal(out)
	}
	for _, name := range pages(t) {
		t.Run(name, func(t *testing.T) {
			written := map[string]bool{} // packages
			for _, b := range readPage(t, name).blocks {
				switch b.lang {
				case "go", "yaml":
					if dir := r.code(t, name, b); b.lang == "go" && dir != "" {
						written[dir] = true
					}
				case "console":
					r.console(t, name, b)
				case "sh":
					r.shell(t, name, b)
				default:
					t.Errorf("%s:%d: a block of %q, want go, yaml, console or sh", name, b.line, b.lang)
				}
			}
			for dir := range written {
				if out, code := r.run(t, "go vet ./"+dir+" && test -z \"$(gofmt -l "+dir+")\""); code != 0 {
					t.Errorf("%s: Go in %s: not formatted, or %s", name, dir, out)
				}
			}
		})
	}
}

// code looks for a piece of a file, or writes the file and returns its folder.
func (r reader) code(t *testing.T, name string, b block) (wrote string) {
	t.Helper()
	to, text, ok := b.path()
	if !ok {
		t.Errorf("%s:%d: the block does not begin with a comment that is a path", name, b.line)
		return ""
	}
	file := filepath.Join(r.dir, filepath.FromSlash(to))
	if there, err := os.ReadFile(file); err == nil {
		if !strings.Contains(string(there), strings.Trim(text, "\n")) {
			t.Errorf("%s:%d: no piece of %s", name, b.line, to)
		}
		return ""
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.TrimLeft(text, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return path.Dir(to)
}

func (r reader) console(t *testing.T, name string, b block) {
	t.Helper()
	commands, err := b.commands()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, c := range commands {
		out, code := r.run(t, c.shell)
		if line := c.misses(out, code); line != "" {
			t.Fatalf("%s:%d: $ %s\nhas not, in this order,\n%s\nbut exit code %d and\n%s", name, c.line, c.shell, line, code, out)
		}
	}
}

// shell checks commands that are not run.
func (r reader) shell(t *testing.T, name string, b block) {
	t.Helper()
	text := strings.ReplaceAll(b.text, "\\\n", " ")
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		ours, ok := strings.CutPrefix(line, "./spotlighter ")
		if !ok {
			t.Errorf("%s:%d: %q is no command of ours", name, b.line, line)
			continue
		}
		if out, code := r.run(t, line+" --help"); code != 0 {
			t.Errorf("%s:%d: %s: %s", name, b.line, line, out)
		}
		dry := ""
		switch command, rest, _ := strings.Cut(ours, " "); command {
		case "run":
			dry = "./spotlighter config " + rest
		case "table", "sweep":
			dry = line + " --dry-run"
		}
		if out, code := r.run(t, dry); code != 0 {
			t.Errorf("%s:%d: %s: %s", name, b.line, line, out)
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are a page's headings, as links name them.
func (p page) anchors() (all []string) {
	for _, m := range heading.FindAllSubmatch(p.prose, -1) {
		plain := dropped.ReplaceAllString(strings.ToLower(string(m[1])), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// TestLinks: what a page links to is there, and every page is linked to from the
// index, which README links to.
func TestLinks(t *testing.T) {
	linked := map[string]bool{}
	for _, name := range append(pages(t), "../README.md", "extend/README.md") {
		for _, m := range link.FindAllSubmatch(readPage(t, name).prose, -1) {
			to := string(m[1])
			if strings.Contains(to, "://") {
				if !strings.HasPrefix(to, "https://") {
					t.Errorf("%s: %s is not https", name, to)
				}
				continue
			}
			file, anchor, _ := strings.Cut(to, "#")
			target := filepath.Join(filepath.Dir(name), filepath.FromSlash(file))
			if file == "" {
				target = name
			}
			if info, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s is not there", name, to)
			} else if anchor != "" && (info.IsDir() || !slices.Contains(readPage(t, target).anchors(), anchor)) {
				t.Errorf("%s: %s has no heading #%s", name, file, anchor)
			}
			if name == "README.md" || name == "../README.md" {
				linked[strings.TrimPrefix(filepath.Clean(target), filepath.FromSlash("../docs/"))] = true
			}
		}
	}
	for _, name := range pages(t) {
		if name != "README.md" && !linked[name] {
			t.Errorf("README.md does not link to %s", name)
		}
	}
	if !linked["README.md"] {
		t.Error("the README of the repository does not link to docs/")
	}
}

// TestKnownIssues: gorgonia.md tells of every issue that a test holds, by its name.
func TestKnownIssues(t *testing.T) {
	tests, err := os.ReadFile(filepath.FromSlash("../graph/known_issues_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("gorgonia.md")
	if err != nil {
		t.Fatal(err)
	}
	var held, told []string
	for _, m := range regexp.MustCompile(`func (TestKnown\w+)`).FindAllSubmatch(tests, -1) {
		held = append(held, string(m[1]))
	}
	for _, m := range regexp.MustCompile("`(TestKnown\\w+)`").FindAllSubmatch(text, -1) {
		told = append(told, string(m[1]))
	}
	slices.Sort(held)
	slices.Sort(told)
	if told = slices.Compact(told); !slices.Equal(told, held) {
		t.Errorf("gorgonia.md tells of %v, the tests hold %v", told, held)
	}
}
