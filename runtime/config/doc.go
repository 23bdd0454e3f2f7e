// Package config reads AimRT YAML files into typed structs.
//
// A file, or a text, goes through environment substitution, YAML parsing,
// overrides, and then one Decode per part: Load decodes the sections that
// everybody knows, and each backend, executor or plugin decodes its own options
// through the [Node] it is handed. Every Decode writes what it knows into the
// standardized tree (all keys, defaults filled in). That tree is what Dump
// prints and what Findings compares with the user's file, so an option that
// nobody claimed is reported with its line.
//
// The package knows no backend, no executor and no RPC. Any package above
// level 1 may import it.
package config
