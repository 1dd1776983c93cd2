package codec

import (
	"encoding/json"
	"fmt"
	"strings"
)

// node is a schema of somebody else, as a tree whose names are resolved.
type node struct {
	kind     string
	name     string
	of       *node
	branches []*node
	symbols  []string
	fields   []field
	size     int
	standard any
	hasOne   bool
}

type field struct {
	name     string
	of       *node
	standard any
	hasOne   bool
}

// deepest is how deep schemas and values are nested at most.
const deepest = 64

// bare is the name without the namespace.
func (n *node) bare() string { return n.name[strings.LastIndexByte(n.name, '.')+1:] }

type parser struct{ named map[string]*node }

func parseSchema(text string) (*node, error) {
	var schema any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&schema); err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %w", err)
	}
	return (&parser{named: map[string]*node{}}).read(schema, "", 0)
}

func (p *parser) read(schema any, namespace string, depth int) (*node, error) {
	if depth > deepest {
		return nil, fmt.Errorf("the schema is nested deeper than %d levels", deepest)
	}
	switch schema := schema.(type) {
	case string:
		return p.byName(schema, namespace)
	case []any:
		union := &node{kind: "union"}
		for _, branch := range schema {
			read, err := p.read(branch, namespace, depth+1)
			if err != nil {
				return nil, err
			}
			union.branches = append(union.branches, read)
		}
		return union, nil
	case map[string]any:
		switch kind := schema["type"]; kind {
		case "array":
			of, err := p.read(schema["items"], namespace, depth+1)
			return &node{kind: "array", of: of}, err
		case "map":
			of, err := p.read(schema["values"], namespace, depth+1)
			return &node{kind: "map", of: of}, err
		case "record", "error", "enum", "fixed":
			return p.define(schema, namespace, depth)
		default:
			return p.read(kind, namespace, depth+1)
		}
	}
	return nil, fmt.Errorf("%v is no schema", schema)
}

func (p *parser) byName(name, namespace string) (*node, error) {
	switch name {
	case "null", "boolean", "int", "long", "float", "double", "string", "bytes":
		return &node{kind: name}, nil
	}
	full := name
	if namespace != "" && !strings.Contains(name, ".") {
		full = namespace + "." + name
	}
	if found := p.named[full]; found != nil {
		return found, nil
	}
	if found := p.named[name]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("the schema does not define %s", name)
}

func (p *parser) define(schema map[string]any, namespace string, depth int) (*node, error) {
	kind, _ := schema["type"].(string)
	if kind == "error" {
		kind = "record"
	}
	name, _ := schema["name"].(string)
	if own, is := schema["namespace"].(string); is {
		namespace = own
	}
	if at := strings.LastIndexByte(name, '.'); at >= 0 {
		namespace = name[:at]
	} else if namespace != "" {
		name = namespace + "." + name
	}
	defined := &node{kind: kind, name: name}
	defined.standard, defined.hasOne = schema["default"]
	p.named[name] = defined
	if size, is := schema["size"].(json.Number); is {
		number, err := size.Int64()
		if err != nil || number < 0 || number > 1<<30 {
			return nil, fmt.Errorf("%s has a size of %s", name, size)
		}
		defined.size = int(number)
	}
	symbols, _ := schema["symbols"].([]any)
	for _, symbol := range symbols {
		text, _ := symbol.(string)
		defined.symbols = append(defined.symbols, text)
	}
	fields, _ := schema["fields"].([]any)
	for _, one := range fields {
		member, _ := one.(map[string]any)
		of, err := p.read(member["type"], namespace, depth+1)
		if err != nil {
			return nil, err
		}
		own, _ := member["name"].(string)
		standard, hasOne := member["default"]
		defined.fields = append(defined.fields, field{name: own, of: of, standard: standard, hasOne: hasOne})
	}
	return defined, nil
}

// IsSame says whether two texts are one schema, however they are written.
func IsSame(one, other string) bool {
	if one == other {
		return true
	}
	first, err := plain(one)
	if err != nil {
		return false
	}
	second, err := plain(other)
	return err == nil && first == second
}

// plain is a schema without what changes no bytes; its members are sorted.
func plain(text string) (string, error) {
	var schema any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&schema); err != nil {
		return "", err
	}
	bytes, err := json.Marshal(strip(schema))
	return string(bytes), err
}

func strip(schema any) any {
	switch schema := schema.(type) {
	case []any:
		for at := range schema {
			schema[at] = strip(schema[at])
		}
	case map[string]any:
		delete(schema, "doc")
		delete(schema, "aggregate")
		for name := range schema {
			schema[name] = strip(schema[name])
		}
	}
	return schema
}
