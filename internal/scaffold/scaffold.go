// Package scaffold writes the files that an extension starts from: an operation,
// a layer, a method or a data set, with its test and, where runs can use it, its
// experiment. What it writes works and is tested as it stands; its author then
// changes one thing at a time.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"spotlighter/experiments"
	"spotlighter/experiments/methods"
	"spotlighter/internal/api"
	"spotlighter/internal/atomicfile"
	"spotlighter/internal/datasets"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*.tmpl"))

// Kinds are what can be written.
var Kinds = []string{"op", "layer", "method", "dataset"}

// folders are where the Go files of a kind belong; experiments have their own.
var folders = map[string]string{"op": "layers", "layer": "layers", "method": "experiments/methods", "dataset": "internal/datasets"}

// experimentsFolder is where the configurations lie.
const experimentsFolder = "experiments"

// name is what a template can call the new thing.
type name struct {
	Name     string // as configurations have it: soft_step, prompt-mean
	File     string // of its files: soft_step, prompt_mean
	Title    string // in messages: soft step
	Exported string // in Go: SoftStep
	Local    string // in Go, inside the package: softStep
}

var form = regexp.MustCompile(`^[a-z][a-z0-9]*([_-][a-z0-9]+)*$`)

func newName(s string) (name, error) {
	if !form.MatchString(s) {
		return name{}, fmt.Errorf("name %q: want lower-case letters and digits, in parts joined by _ or -, such as soft_step", s)
	}
	n := name{Name: s, File: strings.ReplaceAll(s, "-", "_")}
	parts := strings.Split(n.File, "_")
	n.Title = strings.Join(parts, " ")
	for _, p := range parts {
		n.Exported += string(unicode.ToUpper(rune(p[0]))) + p[1:]
	}
	n.Local = string(unicode.ToLower(rune(n.Exported[0]))) + n.Exported[1:]
	if token.IsKeyword(n.Local) || predeclared(n.Local) {
		return name{}, fmt.Errorf("name %q: %s means something to Go", s, n.Local)
	}
	if parts[len(parts)-1] == "test" || !builtEverywhere(n.File+".go") {
		return name{}, fmt.Errorf("name %q: Go builds %s.go as a test or on some machines alone, by the end of its name", s, n.File)
	}
	return n, nil
}

// predeclared says whether an identifier is one that Go declares itself, as a
// package that hid it would confuse its readers.
func predeclared(s string) bool {
	return slices.Contains([]string{"any", "append", "bool", "byte", "cap", "clear", "close", "complex", "copy", "delete", "error", "false", "imag",
		"int", "iota", "len", "main", "init", "make", "max", "min", "new", "nil", "panic", "print", "println", "real", "recover", "rune", "string", "true", "uint", "uintptr"}, s)
}

// builtEverywhere says whether the name of a file keeps no machine from building
// it, as name_linux.go does.
func builtEverywhere(file string) bool {
	nowhere := build.Context{GOOS: "none", GOARCH: "none", Compiler: "gc", OpenFile: func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("package p\n")), nil
	}}
	ok, err := nowhere.MatchFile("", file)
	return ok && err == nil
}

var moduleLine = regexp.MustCompile(`(?m)^module spotlighter$`)

// Root is the folder of this module that holds dir.
func Root(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		text, err := os.ReadFile(filepath.Join(at, "go.mod"))
		switch {
		case err == nil && moduleLine.Match(text):
			return at, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not inside the source of spotlighter: no go.mod of module spotlighter in it or above", dir)
		}
	}
}

// New writes the files of a new thing of that kind below the module's root and
// returns their paths, relative to it. Nothing is written if one of them is there,
// or if the package has declared one of their names.
func New(root, kind, called string) ([]string, error) {
	folder, ok := folders[kind]
	if !ok {
		return nil, fmt.Errorf("kind %q: want one of %s", kind, strings.Join(Kinds, ", "))
	}
	n, err := newName(called)
	if err != nil {
		return nil, err
	}
	if err := isNew(kind, n); err != nil {
		return nil, err
	}
	files := map[string]string{ // template to path
		kind + ".go.tmpl":      path.Join(folder, n.File+".go"),
		kind + "_test.go.tmpl": path.Join(folder, n.File+"_test.go"),
	}
	if templates.Lookup(kind+".yaml.tmpl") != nil {
		files[kind+".yaml.tmpl"] = path.Join(experimentsFolder, n.File+".yaml")
	}
	texts := map[string][]byte{} // by path
	for _, from := range slices.Sorted(maps.Keys(files)) {
		to := files[from]
		if _, err := os.Lstat(filepath.Join(root, to)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is there already: choose another name or remove it", to)
		}
		if texts[to], err = render(from, n); err != nil {
			return nil, err
		}
	}
	if err := declaresAnew(filepath.Join(root, filepath.FromSlash(folder)), texts); err != nil {
		return nil, err
	}
	var written []string
	for _, to := range slices.Sorted(maps.Keys(texts)) {
		if err := atomicfile.WriteBytes(filepath.Join(root, filepath.FromSlash(to)), texts[to]); err != nil {
			return nil, err
		}
		written = append(written, to)
	}
	listed, err := api.Update(root)
	written = append(written, listed...)
	slices.Sort(written)
	return written, err
}

// isNew refuses what would be registered by a name that is taken: the program would
// not start, or a configuration would have a key twice.
func isNew(kind string, n name) error {
	switch kind {
	case "dataset":
		if datasets.Known(n.Name) {
			return fmt.Errorf("name %q: there is a data set of that name", n.Name)
		}
	case "method":
		if slices.Contains(methods.Names(), n.Name) {
			return fmt.Errorf("name %q: there is a method of that name", n.Name)
		}
		keys := methods.Sections()
		for _, f := range reflect.VisibleFields(reflect.TypeFor[experiments.Config]()) {
			key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			keys = append(keys, key)
		}
		if slices.Contains(keys, n.File) {
			return fmt.Errorf("name %q: configurations have a key %s already", n.Name, n.File)
		}
	}
	return nil
}

func render(from string, n name) ([]byte, error) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, from, n); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(from, ".go.tmpl") {
		return b.Bytes(), nil
	}
	return format.Source(b.Bytes())
}

// declaresAnew refuses new files of the package in dir that declare a name which
// it has, the tests' names apart from the others.
func declaresAnew(dir string, texts map[string][]byte) error {
	fset := token.NewFileSet()
	there := map[string]string{} // name to the file that declares it
	old, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, file := range old {
		f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range declared(f) {
			there[f.Name.Name+"."+d] = filepath.Base(file)
		}
	}
	for _, to := range slices.Sorted(maps.Keys(texts)) {
		if !strings.HasSuffix(to, ".go") {
			continue
		}
		f, err := parser.ParseFile(fset, to, texts[to], parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range declared(f) {
			if file, taken := there[f.Name.Name+"."+d]; taken {
				return fmt.Errorf("%s would declare %s, which %s/%s has: choose another name", to, d, path.Dir(to), file)
			}
		}
	}
	return nil
}

// declared lists the names that a file declares in its package.
func declared(f *ast.File) (names []string) {
	add := func(id *ast.Ident) {
		if id.Name != "_" && id.Name != "init" {
			names = append(names, id.Name)
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					add(s.Name)
				case *ast.ValueSpec:
					for _, id := range s.Names {
						add(id)
					}
				}
			}
		}
	}
	return names
}
