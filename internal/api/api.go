// Package api lists what a package exports, as its readers see it: the
// declarations without bodies and without unexported fields, in order of name.
// The lists are committed beside the packages, so that a change of the API is a
// change that a review sees.
package api

import (
	"bytes"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"spotlighter/internal/atomicfile"
)

// Packages are those that a reader of the documentation builds on, by their
// folders below the module's root.
var Packages = []string{
	"graph", "graph/cpu", "graph/cuda", "graph/draw", "graph/inspect", "graph/onnx", "graph/optest",
	"layers", "vit", "vit/preprocess", "textenc", "spotlight", "spotlight/release", "optim",
	"experiments", "experiments/ablations", "experiments/launch", "experiments/methods", "experiments/pruning", "experiments/runfmt", "experiments/sweep",
	"results", "results/paper",
}

// File is the name of a listing in its package's folder.
const File = "api.txt"

// Update writes the listings that are out of date below the module's root, and
// returns their paths, relative to it.
func Update(root string) (written []string, err error) {
	for _, name := range Packages {
		p, err := Read(filepath.Join(root, filepath.FromSlash(name)), "spotlighter/"+name)
		if err != nil {
			return written, err
		}
		file := filepath.Join(root, filepath.FromSlash(name), File)
		old, err := os.ReadFile(file)
		if err == nil && string(old) == p.Listing {
			continue
		}
		if err := atomicfile.WriteBytes(file, []byte(p.Listing)); err != nil {
			return written, err
		}
		written = append(written, path.Join(name, File))
	}
	return written, nil
}

// Package is the exported face of one package.
type Package struct {
	// Listing holds a declaration a paragraph, comments left out: types with their
	// constants, constructors and methods, then functions, variables, constants.
	Listing string
	// Undocumented are the exported names that have no comment, "Type.Method" for
	// a method, in order.
	Undocumented []string
	// Shapeless are the exported functions and methods on nodes of a graph whose
	// comment says nothing of a shape.
	Shapeless []string
}

// Read parses the package in dir, as Linux on amd64 builds it, without tests.
func Read(dir, importPath string) (Package, error) {
	target := build.Default
	target.GOOS, target.GOARCH, target.CgoEnabled = "linux", "amd64", false
	p, err := target.ImportDir(dir, 0)
	if err != nil {
		return Package{}, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			return Package{}, err
		}
		files = append(files, f)
	}
	d, err := doc.NewFromFiles(fset, files, importPath)
	if err != nil {
		return Package{}, err
	}
	l := listing{fset: fset}
	if d.Doc == "" {
		l.Undocumented = append(l.Undocumented, "package "+d.Name)
	}
	l.text.WriteString("package " + d.Name + "\n")
	for _, t := range d.Types {
		l.decl(t.Decl, t.Doc)
		l.values(t.Consts)
		l.values(t.Vars)
		l.funcs("", t.Funcs)
		l.funcs(t.Name+".", t.Methods)
	}
	l.funcs("", d.Funcs)
	l.values(d.Vars)
	l.values(d.Consts)
	l.Listing = l.text.String()
	slices.Sort(l.Undocumented)
	slices.Sort(l.Shapeless)
	return l.Package, l.err
}

type listing struct {
	Package
	fset *token.FileSet
	text bytes.Buffer
	err  error
}

// print adds a declaration, bare of comments.
func (l *listing) print(decl ast.Node) {
	l.text.WriteByte('\n')
	c := printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}
	if err := c.Fprint(&l.text, l.fset, decl); err != nil && l.err == nil {
		l.err = err
	}
	l.text.WriteByte('\n')
}

func (l *listing) values(vs []*doc.Value) {
	for _, v := range vs {
		l.decl(v.Decl, v.Doc)
	}
}

// decl adds a declaration of types, constants or variables. A comment of the
// group speaks for all of it.
func (l *listing) decl(d *ast.GenDecl, comment string) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			l.want(s.Name.Name, comment != "" || s.Doc != nil || s.Comment != nil)
		case *ast.ValueSpec:
			for _, n := range s.Names {
				if n.IsExported() {
					l.want(n.Name, comment != "" || s.Doc != nil || s.Comment != nil)
				}
			}
		}
	}
	strip(d)
	l.print(d)
}

func (l *listing) want(name string, documented bool) {
	if !documented {
		l.Undocumented = append(l.Undocumented, name)
	}
}

func (l *listing) funcs(prefix string, fs []*doc.Func) {
	for _, f := range fs {
		l.want(prefix+f.Name, f.Doc != "")
		if onNodes(f.Decl.Type) && !saysShape(f.Doc) {
			l.Shapeless = append(l.Shapeless, prefix+f.Name)
		}
		f.Decl.Body = nil
		strip(f.Decl)
		l.print(f.Decl)
	}
}

// strip takes the comments off a declaration, so that a listing changes with the
// API alone.
func strip(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			n.Doc = nil
		case *ast.FuncDecl:
			n.Doc = nil
		case *ast.TypeSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.ValueSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.Field:
			n.Doc, n.Comment = nil, nil
		}
		return true
	})
}

// onNodes says whether a function takes or returns nodes of a graph.
func onNodes(f *ast.FuncType) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		star, ok := n.(*ast.StarExpr)
		if !ok {
			return true
		}
		switch x := star.X.(type) {
		case *ast.Ident:
			found = found || x.Name == "Node"
		case *ast.SelectorExpr:
			found = found || x.Sel.Name == "Node"
		}
		return true
	})
	return found
}

// saysShape says whether a comment tells the shapes that a function works on: in
// brackets, or in words.
func saysShape(comment string) bool {
	comment = strings.ToLower(comment)
	return slices.ContainsFunc([]string{"[", "elementwise", "shape", "scalar", "axis", "axes"}, func(word string) bool {
		return strings.Contains(comment, word)
	})
}
