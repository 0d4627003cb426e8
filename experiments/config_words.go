package experiments

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// found and wanted name what is there and what should be, in a user's words.
func found(node ast.Node) string {
	switch n := node.(type) {
	case *ast.NullNode:
		return "nothing"
	case *ast.StringNode:
		return fmt.Sprintf("the text %q", n.Value)
	case *ast.LiteralNode:
		return fmt.Sprintf("the text %q", n.Value.Value)
	case *ast.BoolNode:
		return n.String()
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + node.String()
	case *ast.SequenceNode:
		return fmt.Sprintf("a list of %d", len(n.Values))
	case ast.MapNode:
		return "a mapping"
	}
	return "a YAML " + strings.ToLower(node.Type().String())
}

func wanted(dst reflect.Value) string {
	switch dst.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Array:
		return fmt.Sprintf("a list of %d numbers", dst.Len())
	case reflect.Map:
		return "a mapping of names to lists"
	case reflect.Slice:
		item := wanted(reflect.New(dst.Type().Elem()).Elem())
		if _, ok := dst.Interface().(interface{ scalarAsList() }); ok {
			return item + " or a list"
		}
		return "a list, each item " + item
	}
	return "a mapping with the keys " + strings.Join(keys(dst), ", ")
}

// oneLine keeps a message of the library on one line, with tabs visible.
func oneLine(s string) string {
	return printable(strings.Join(strings.Fields(strings.ReplaceAll(s, "\t", `\t`)), " "))
}

// printable quotes what a user wrote where a terminal could not show it.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(s) {
		return strconv.Quote(s)
	}
	return s
}
