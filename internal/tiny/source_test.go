package tiny

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"slices"
	"strings"
	"testing"
)

// Functions of package math that are exact on every platform.
var exactMaths = []string{"Abs", "Copysign", "Floor", "Sqrt", "Float64bits", "Float64frombits", "MaxInt32", "Pi", "Phi"}

// A compiler may fuse x*y + z into one rounding where the machine can, but not
// float64(x*y) + z: each product of floats in the world's sources must be
// rounded by such a conversion, or go straight into another product or quotient.
func TestNoProductIsLeftToBeFused(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "clip") || strings.HasPrefix(name, "pretrain") {
			continue // the network's numbers carry no such promise
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if found := bareProducts(fset, files); len(found) > 0 {
		t.Errorf("products that may be fused, or inexact functions: %v", found)
	}
}

func TestBareProductsAreFound(t *testing.T) {
	const source = `package p
import "math"
func f(a, b, c float64, i int) float64 {
	x := a * b                                     // 4
	a *= x                                         // 5
	y := float64(a*b) + float64(a*b/c*a) + float64(i*i)
	y += math.Sqrt(a) * b                          // 7
	const two = 2 * math.Pi
	return math.Exp(y) + float64(a*(b+float64(b*c))) // 9
}`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"p.go:4", "p.go:5", "p.go:7", "p.go:9"}
	if got := bareProducts(fset, []*ast.File{file}); !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not needed") }

// bareProducts are the lines with a product that could be fused. What is
// imported has no type here, and counts as a float.
func bareProducts(fset *token.FileSet, files []*ast.File) []string {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Importer: noImports{}, Error: func(error) {}}
	config.Check("p", fset, files, info) // errors are of the imports alone

	isWhole := func(e ast.Expr) bool {
		basic, ok := info.Types[e].Type.(*types.Basic)
		if !ok && info.Types[e].Type != nil {
			basic, ok = info.Types[e].Type.Underlying().(*types.Basic)
		}
		return ok && basic.Info()&types.IsInteger != 0
	}
	var found []string
	report := func(at token.Pos) {
		p := fset.Position(at)
		line := p.Filename + ":" + strings.Split(p.String(), ":")[1]
		if !slices.Contains(found, line) {
			found = append(found, line)
		}
	}
	for _, file := range files {
		var parents []ast.Node
		ast.Inspect(file, func(n ast.Node) bool {
			if n == nil {
				parents = parents[:len(parents)-1]
				return true
			}
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok == token.MUL_ASSIGN && !isWhole(n.Lhs[0]) {
					report(n.Pos())
				}
			case *ast.SelectorExpr:
				if of, ok := n.X.(*ast.Ident); ok && of.Name == "math" && !slices.Contains(exactMaths, n.Sel.Name) {
					report(n.Pos())
				}
			case *ast.BinaryExpr:
				if n.Op == token.MUL && !isWhole(n) && !isConstant(info, n, parents) && !isRounded(parents) {
					report(n.Pos())
				}
			}
			parents = append(parents, n)
			return true
		})
	}
	return found
}

// isConstant is true of products that the compiler works out, exactly.
func isConstant(info *types.Info, n *ast.BinaryExpr, parents []ast.Node) bool {
	if info.Types[n].Value != nil {
		return true
	}
	for _, p := range parents {
		if d, ok := p.(*ast.GenDecl); ok && d.Tok == token.CONST {
			return true
		}
	}
	// math.Pi has no type here; a product of it and numbers is still constant.
	constant := true
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr, *ast.IndexExpr:
			constant = false
		case *ast.SelectorExpr:
			of, ok := n.X.(*ast.Ident)
			constant = constant && ok && of.Name == "math"
			return false
		case *ast.Ident:
			constant = constant && info.Types[n].Value != nil
		}
		return true
	})
	return constant
}

// isRounded is true inside float64(…), or as a part of another product or quotient.
func isRounded(parents []ast.Node) bool {
	i := len(parents) - 1
	for ; i >= 0; i-- {
		if _, ok := parents[i].(*ast.ParenExpr); !ok {
			break
		}
	}
	switch p := parents[i].(type) {
	case *ast.CallExpr:
		of, ok := p.Fun.(*ast.Ident)
		return ok && (of.Name == "float64" || of.Name == "float32")
	case *ast.BinaryExpr:
		return p.Op == token.MUL || p.Op == token.QUO
	}
	return false
}
