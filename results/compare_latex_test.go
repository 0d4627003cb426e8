package results

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TeX sets the table as it is written, whatever stands in its names and its command.
func TestLaTeXCompiles(t *testing.T) {
	program, err := exec.LookPath("pdflatex")
	if err != nil {
		t.Skip("no pdflatex here; .ci/latex installs it")
	}
	odd := `a_b & 50% #1 $x$ {y} ~z ^w \q – “n” é …`
	for name, c := range map[string]Comparison{
		"halves": Compare("base-to-novel", "spotlighter table base-to-novel 'data.root=a_b'\n\\end{document}", "coop", []Planned{
			planned("coop", "oxford_pets", 1, 80.125, 40, 30), planned("coop", "oxford_pets", 2, 10, 12, 60),
			planned("coop+spotlighter", "oxford_pets", 1, 90, 40, 30), planned("coop+spotlighter", "oxford_pets", 2, 90, 40, 30),
			planned("coop", "dtd", 1, 70, 40, 30), planned("coop+spotlighter", "dtd", 1, 13, 14, 80)}),
		"odd names": Compare("base-to-novel", "spotlighter table "+odd, odd, []Planned{planned(odd, odd, 1, 80, 40, 30), planned("clip", odd, 1, 90, 40, 30)}),
	} {
		tex := c.LaTeX()
		dir := t.TempDir()
		text := "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n" + tex + "\\end{document}\n"
		if err := os.WriteFile(filepath.Join(dir, "table.tex"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "table.tex")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, tex)
			continue
		}
		for _, bad := range []string{"Missing character", "Undefined control sequence", "LaTeX Warning: Command"} {
			if strings.Contains(string(out), bad) {
				t.Errorf("%s: %s\n%s", name, out, tex)
			}
		}
		if pdf, err := os.ReadFile(filepath.Join(dir, "table.pdf")); err != nil || !strings.HasPrefix(string(pdf), "%PDF-") {
			t.Errorf("%s: no PDF: %v", name, err)
		}
	}
}
