package conformance

import (
	"fmt"
	"slices"
)

// Axis values. A backend "direct" is local inside one package: messages are handed over as they are.
var (
	Backends       = []Backend{{"direct", "local", false}, {"local", "local", false}, {"http", "http", true}, {"grpc", "grpc", true}, {"aiomas", "aiomas", true}}
	Serializations = []Serialization{{"raw-pb", "raw", "pb"}, {"raw-json", "raw", "json"}, {"message-pb", "message", "pb"}, {"message-json", "message", "json"}}
	Styles         = []string{"now", "later"}
)

// Capabilities that suites may rely on. A combination has those of its backend, serialization, style, and languages.
var Capabilities = []string{
	"in_process",    // client and server share a process
	"network",       // they do not
	"http",          // the backend
	"grpc",          // the backend
	"aiomas",        // the backend
	"carries_meta",  // the backend carries metadata, the timeout, and that a caller waits no more
	"ends_early",    // a call can end before its handler does: timeouts and cancels apply
	"shares",        // client and server share a package: a call ends when its handler does
	"hands_over",    // messages go from one to the other as they are, in no serialization
	"encodes",       // they do not
	"raw",           // the programs deal in bytes
	"message",       // the programs deal in protobuf messages
	"pb",            // the serialization
	"json",          // the serialization
	"cancels",       // the client can cancel this form of call and see its outcome
	"finish_result", // the server learns whether somebody got its answer
}

// Backend is a value of the first axis.
type Backend struct {
	Name    string
	Shown   string // the name in the configuration and in metadata
	Network bool
}

// carries tells whether programs can send their bytes in that way: aiomas takes a message in json apart, so bytes that are no JSON do not travel.
func (b Backend) carries(s Serialization) bool { return b.Name != "aiomas" || s.Name != "raw-json" }

// Serialization is a value of the second axis: how the programs see messages, and how they are encoded.
type Serialization struct{ Name, Form, Encoding string }

// Combination is one point of the cross product.
type Combination struct {
	Backend       Backend
	Serialization Serialization
	Client        string // language
	Server        string
	Style         string // now: the client blocks and the handler answers when it returns; later: neither
}

func (c Combination) String() string {
	return fmt.Sprintf("backend=%s serialization=%s client=%s server=%s style=%s", c.Backend.Name, c.Serialization.Name, c.Client, c.Server, c.Style)
}

// values of all axes, in the order of axisNames.
func (c Combination) values() []string {
	return []string{c.Backend.Name, c.Serialization.Name, c.Client, c.Server, c.Style}
}

var axisNames = []string{"backend", "serialization", "client", "server", "style"}

func backendNames() []string {
	var out []string
	for _, b := range Backends {
		out = append(out, b.Name)
	}
	return out
}

// Full is the cross product for the given languages. Inside one process client and server have the same language.
func Full(languages []string) []Combination {
	var out []Combination
	for _, b := range Backends {
		for _, s := range Serializations {
			for _, client := range languages {
				for _, server := range languages {
					for _, style := range Styles {
						if b.carries(s) && (b.Network || client == server) {
							out = append(out, Combination{b, s, client, server, style})
						}
					}
				}
			}
		}
	}
	return out
}

// pair is two values of two axes.
type pair struct {
	axisA, axisB   int
	valueA, valueB string
}

func pairsOf(c Combination) []pair {
	var out []pair
	v := c.values()
	for a := range v {
		for b := a + 1; b < len(v); b++ {
			out = append(out, pair{a, b, v[a], v[b]})
		}
	}
	return out
}

// Sample picks combinations so that every pair of values that occurs in all of them occurs in the sample. It always picks the same; of
// combinations that add equally many pairs it takes the one whose values it has taken least.
func Sample(all []Combination) []Combination {
	missing, taken := map[pair]bool{}, map[string]int{}
	for _, c := range all {
		for _, p := range pairsOf(c) {
			missing[p] = true
		}
	}
	var out []Combination
	for len(missing) > 0 {
		best, gain, worn := Combination{}, 0, 0
		for _, c := range all {
			n, w := 0, 0
			for _, p := range pairsOf(c) {
				if missing[p] {
					n++
				}
			}
			for i, value := range c.values() {
				w += taken[axisNames[i]+value]
			}
			if n > gain || n == gain && w < worn {
				best, gain, worn = c, n, w
			}
		}
		for _, p := range pairsOf(best) {
			delete(missing, p)
		}
		for i, value := range best.values() {
			taken[axisNames[i]+value]++
		}
		out = append(out, best)
	}
	return out
}

// has tells whether a combination offers all capabilities; client and server are those of the programs.
func (c Combination) has(needed, client, server []string) bool {
	offered := []string{c.Serialization.Form, c.Serialization.Encoding}
	if c.Backend.Network {
		offered = append(offered, "network", "ends_early", c.Backend.Name)
	} else {
		offered = append(offered, "in_process")
		if c.Backend.Name == "direct" {
			offered = append(offered, "shares")
		} else {
			offered = append(offered, "ends_early")
		}
	}
	if c.Backend.Name != "aiomas" {
		offered = append(offered, "carries_meta")
	}
	if c.Backend.Name == "direct" && c.Serialization.Form == "message" && slices.Contains(client, "native_messages") {
		offered = append(offered, "hands_over")
	} else {
		offered = append(offered, "encodes")
	}
	if slices.Contains(client, "cancels_"+c.Style) {
		offered = append(offered, "cancels")
	}
	if slices.Contains(server, "finish_result") {
		offered = append(offered, "finish_result")
	}
	for _, name := range needed {
		if !slices.Contains(offered, name) {
			return false
		}
	}
	return true
}
