// Command golayout prints how cgo lays out the structs of the public header, as JSON, for tests/abi/run.py.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
)

type layout struct {
	Size   uintptr               `json:"size"`
	Align  int                   `json:"align"`
	Fields map[string][2]uintptr `json:"fields"`
}

func main() {
	out := map[string]layout{}
	for name, value := range structs {
		t := reflect.TypeOf(value)
		l := layout{Size: t.Size(), Align: t.Align(), Fields: map[string][2]uintptr{}}
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Name == "_" { // padding that cgo makes visible
				continue
			}
			name := strings.TrimPrefix(f.Name, "_") // cgo renames fields that are Go keywords
			l.Fields[name] = [2]uintptr{f.Offset, f.Type.Size()}
		}
		out[name] = l
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}
