// Package faults puts a proxy that spoils connections between two runtimes: it cuts, resets, swallows, delays, throttles and slices what they
// say to each other. It has tests only.
package faults
