package main

import (
	"fmt"
	"strings"
)

// keywords are the reserved words of Python 3; its soft keywords (match, type ...) are ordinary names.
var keywords = set("False None True and as assert async await break class continue def del elif else except finally for " +
	"from global if import in is lambda nonlocal not or pass raise return try while with yield")

// stubNames are the names a stub itself relies on at module level; neither a service nor an import may take them.
var stubNames = set("_ _aimrt_stub aimrt_py annotations getattr globals google importlib overload setattr staticmethod super")

func set(words string) map[string]bool {
	m := make(map[string]bool)
	for _, word := range strings.Fields(words) {
		m[word] = true
	}
	return m
}

// isPlain tells whether Python code inside a class can write the name as it is. Names with two leading underscores
// cannot: the compiler mangles them there.
func isPlain(name string) bool {
	return isIdentifier(name) && !keywords[name] && !strings.HasPrefix(name, "__")
}

// isIdentifier is for ASCII names, which all names of proto files are; file names may be anything.
func isIdentifier(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// moduleName turns a proto path into a Python module by the rule of protoc's Python generator.
func moduleName(protoPath, suffix string) string {
	base := strings.TrimSuffix(strings.TrimSuffix(protoPath, ".protodevel"), ".proto")
	return strings.NewReplacer("-", "_", "/", ".").Replace(base) + suffix
}

// stubPath gives the stub's file, beside the message module that protoc writes.
func stubPath(file *protoFile) string {
	return strings.ReplaceAll(moduleName(file.desc.GetName(), "_aimrt_rpc_pb2"), ".", "/") + ".py"
}

// pythonString writes a string literal. What Go's escapes can express for valid UTF-8 means the same in Python.
func pythonString(s string) string {
	return fmt.Sprintf("%+q", strings.ToValidUTF8(s, "\uFFFD"))
}

// imports maps the proto files a stub needs to the Python expressions that name their modules.
type imports struct {
	lines       []string          // in file order
	expressions map[string]string // by proto path
	roots       map[string]bool   // first names of all expressions: bound in the stub's namespace
	aliases     map[string]bool   // those roots that are variables of ours
}

func newImports() *imports {
	return &imports{expressions: make(map[string]string), roots: make(map[string]bool), aliases: make(map[string]bool)}
}

// add imports the message module of a proto file once.
func (i *imports) add(protoPath string) {
	if _, known := i.expressions[protoPath]; known {
		return
	}
	module := moduleName(protoPath, "_pb2")
	parts := strings.Split(module, ".")
	plain := parts[0] == "google" || !stubNames[parts[0]]
	for _, part := range parts {
		plain = plain && isPlain(part)
	}
	if plain && !i.aliases[parts[0]] {
		i.lines = append(i.lines, "import "+module)
		i.expressions[protoPath] = module
		i.roots[parts[0]] = true
		return
	}
	alias := i.alias(module)
	i.lines = append(i.lines, fmt.Sprintf("%s = importlib.import_module(%s)", alias, pythonString(module)))
	i.expressions[protoPath] = alias
	i.roots[alias], i.aliases[alias] = true, true
}

// alias makes a free name of a module's name: "in.x_pb2" gives "_in_x_pb2".
func (i *imports) alias(module string) string {
	name := "_" + strings.TrimLeft(strings.Map(func(r rune) rune {
		if isIdentifier("_" + string(r)) {
			return r
		}
		return '_'
	}, module), "_")
	for i.roots[name] || stubNames[name] {
		name += "_"
	}
	return name
}

// class writes the expression for a message class.
func (i *imports) class(message messageType) string {
	expression := i.expressions[message.file]
	for _, name := range message.path {
		if isPlain(name) {
			expression += "." + name
		} else {
			expression = fmt.Sprintf("getattr(%s, %s)", expression, pythonString(name))
		}
	}
	return expression
}
