// The public interface of the Go module, a line for each thing that programs may name.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

var files = token.NewFileSet()

func main() {
	root := os.Args[1]
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "internal" || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(below)
		if pkg == "." {
			pkg = "millrace"
		}
		for _, declaration := range file.Decls {
			of(pkg, declaration)
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func text(node any) string {
	var out bytes.Buffer
	if err := printer.Fprint(&out, files, node); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

func say(format string, values ...any) { fmt.Printf(format+"\n", values...) }

func of(pkg string, declaration ast.Decl) {
	switch it := declaration.(type) {
	case *ast.FuncDecl:
		if !it.Name.IsExported() {
			return
		}
		owner := pkg
		if it.Recv != nil {
			receiver := text(it.Recv.List[0].Type)
			name := strings.TrimLeft(receiver, "*")
			if !ast.IsExported(strings.SplitN(name, "[", 2)[0]) {
				return
			}
			owner = pkg + "." + name
			if strings.HasPrefix(receiver, "*") {
				owner = pkg + ".*" + name
			}
		}
		say("%s.%s: %s", owner, it.Name.Name, signature(it.Type))
	case *ast.GenDecl:
		for _, spec := range it.Specs {
			switch one := spec.(type) {
			case *ast.ValueSpec:
				for at, name := range one.Names {
					if name.IsExported() {
						say("%s.%s: %s %s", pkg, name.Name, it.Tok, value(one, at))
					}
				}
			case *ast.TypeSpec:
				if one.Name.IsExported() {
					declared(pkg+"."+one.Name.Name, one)
				}
			}
		}
	}
}

// value is the type of a constant or variable, or what it is made by.
func value(one *ast.ValueSpec, at int) string {
	if one.Type != nil {
		return text(one.Type)
	}
	if at < len(one.Values) {
		if call, is := one.Values[at].(*ast.CallExpr); is {
			return text(call.Fun) + "(…)"
		}
		if literal, is := one.Values[at].(*ast.CompositeLit); is {
			return text(literal.Type)
		}
		if literal, is := one.Values[at].(*ast.BasicLit); is && len(literal.Value) < 80 {
			return literal.Value
		}
	}
	return "…"
}

// signature has no names of parameters: programs cannot name them.
func signature(it *ast.FuncType) string {
	kinds := func(fields *ast.FieldList) string {
		var all []string
		if fields != nil {
			for _, field := range fields.List {
				for range max(1, len(field.Names)) {
					all = append(all, text(field.Type))
				}
			}
		}
		return "(" + strings.Join(all, ", ") + ")"
	}
	generic := ""
	if it.TypeParams != nil {
		generic = "[" + kinds(it.TypeParams) + "]"
	}
	return "func" + generic + kinds(it.Params) + " " + kinds(it.Results)
}

func declared(name string, spec *ast.TypeSpec) {
	switch it := spec.Type.(type) {
	case *ast.StructType:
		say("%s: struct", name)
		for _, field := range it.Fields.List {
			if len(field.Names) == 0 {
				say("%s: has %s", name, text(field.Type))
			}
			for _, one := range field.Names {
				if one.IsExported() {
					say("%s.%s: %s", name, one.Name, text(field.Type))
				}
			}
		}
	case *ast.InterfaceType:
		say("%s: interface", name)
		// what is not exported in it nobody else can implement, so that more methods break nobody
		sealed := slices.ContainsFunc(it.Methods.List, func(one *ast.Field) bool {
			return len(one.Names) > 0 && !one.Names[0].IsExported()
		})
		must := "! "
		if sealed {
			must = ""
		}
		for _, method := range it.Methods.List {
			if len(method.Names) == 0 {
				say("%s: has %s", name, text(method.Type))
			} else if function, is := method.Type.(*ast.FuncType); is && method.Names[0].IsExported() {
				say("%s%s.%s: %s", must, name, method.Names[0].Name, signature(function))
			}
		}
	default:
		alias := ""
		if spec.Assign.IsValid() {
			alias = "= "
		}
		say("%s: type %s%s", name, alias, text(spec.Type))
	}
}
