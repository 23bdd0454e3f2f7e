// Package aiomas tests the wire and transport packages against the real aiomas
// from the package index, in both roles. It has no product code.
package aiomas
