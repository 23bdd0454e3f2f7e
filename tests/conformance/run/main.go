// Command run is the long form of the conformance suites: go run ./tests/conformance/run [options], from the root of the repository,
// after make conformance-programs. It prints one line per failure, a table, and "N passed, N failed".
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"aimrtrpc/tests/conformance"
)

func main() {
	sample := flag.Bool("sample", false, "run a sample in which every pair of values occurs, instead of all combinations")
	languages := flag.String("languages", "go,cpp,python", "languages to run, by comma")
	only := flag.String("only", "", "run only cases whose suite/name contains this")
	where := flag.String("where", "", "run only combinations whose text contains all of these, by comma, for example backend=http,client=go")
	programs := flag.String("programs", "build/conformance", "folder of the programs")
	suites := flag.String("suites", "tests/vectors/suites", "folder of the suites")
	list := flag.Bool("list", false, "print the combinations and run nothing")
	verbose := flag.Bool("v", false, "print a line per passed case, too")
	parallel := flag.Int("parallel", 2, "combinations at the same time")
	flag.Parse()
	failed, err := run(options{*sample, *languages, *only, *where, *programs, *suites, *list, *verbose, *parallel})
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

type options struct {
	sample                                   bool
	languages, only, where, programs, suites string
	list, verbose                            bool
	parallel                                 int
}

func run(o options) (int, error) {
	names := strings.Split(o.languages, ",")
	programs, err := conformance.Programs(o.programs, names)
	if err != nil {
		return 0, err
	}
	loaded, err := conformance.LoadSuites(o.suites)
	if err != nil {
		return 0, err
	}
	combinations := conformance.Full(names)
	if o.sample {
		combinations = conformance.Sample(combinations)
	}
	if o.where != "" {
		combinations = matching(combinations, strings.Split(o.where, ","))
	}
	if o.list {
		for _, c := range combinations {
			fmt.Println(c)
		}
		return 0, nil
	}
	if len(combinations) == 0 {
		return 0, fmt.Errorf("no combination has %q", o.where)
	}
	fmt.Printf("conformance: %d combinations of %s\n", len(combinations), strings.Join(names, ", "))
	results := conformance.Run(conformance.Options{
		Programs: programs, Suites: loaded, Combinations: combinations, Only: o.only, Logs: filepath.Join(o.programs, "log"),
		Parallel: o.parallel,
		Report: func(r conformance.Result) {
			if r.Err != nil {
				fmt.Println(r)
			} else if o.verbose {
				fmt.Printf("ok suite=%s case=%q %v\n", r.Suite, r.Case, r.Combination)
			}
		},
	})
	return conformance.WriteTable(os.Stdout, results), nil
}

func matching(all []conformance.Combination, parts []string) []conformance.Combination {
	var out []conformance.Combination
next:
	for _, c := range all {
		for _, part := range parts {
			if !strings.Contains(c.String()+" ", part+" ") {
				continue next
			}
		}
		out = append(out, c)
	}
	return out
}
