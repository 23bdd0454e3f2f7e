package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// row is one canonical code of status.yaml.
type row struct {
	Name    string
	Code    uint32
	Text    string
	When    string
	AimRT   uint32 `yaml:"aimrt"`
	Aduib1  aduib1 `yaml:"aduib1"`
	Aduib2  string `yaml:"aduib2"`
	GRPC    string `yaml:"grpc"`
	HTTP    int    `yaml:"http"`
	JSONRPC int    `yaml:"jsonrpc"`
	Aiomas  string `yaml:"aiomas"`
}

type aduib1 struct {
	Name string
	Code int
}

// foreign is a number of another system and what it means here.
type foreign struct {
	Name  string
	Code  int
	Means string
}

type source struct {
	Codes        []row
	Aduib2Errors []foreign `yaml:"aduib2_errors"`
	FromHTTP     []foreign `yaml:"from_http"`
	FromJSONRPC  []foreign `yaml:"from_jsonrpc"`
	GRPCStatuses []foreign `yaml:"grpc_statuses"`
}

// load reads status.yaml and refuses rows that contradict each other.
func load(path string) (*source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, text)
}

func parse(path string, text []byte) (*source, error) {
	s := &source{}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(s); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *source) check() error {
	names := map[string]uint32{}
	last := int64(-1)
	for _, r := range s.Codes {
		if _, twice := names[r.Name]; twice {
			return fmt.Errorf("code name %s appears twice", r.Name)
		}
		if int64(r.Code) <= last {
			return fmt.Errorf("code %s: number %d is not above its predecessor %d", r.Name, r.Code, last)
		}
		if r.Text == "" || r.When == "" {
			return fmt.Errorf("code %s needs a text and a when", r.Name)
		}
		last = int64(r.Code)
		names[r.Name] = r.Code
	}
	numbers := map[uint32]bool{}
	for _, r := range s.Codes {
		numbers[r.Code] = true
	}
	aduib2 := named(s.Aduib2Errors)
	grpc := named(s.GRPCStatuses)
	for _, r := range s.Codes {
		if !numbers[r.AimRT] || r.AimRT >= 3000 {
			return fmt.Errorf("code %s: aimrt %d is not a number of AimRT", r.Name, r.AimRT)
		}
		if _, ok := aduib2[r.Aduib2]; !ok && r.Aduib2 != "" {
			return fmt.Errorf("code %s: aduib2 %s is not in aduib2_errors", r.Name, r.Aduib2)
		}
		if _, ok := grpc[r.GRPC]; !ok {
			return fmt.Errorf("code %s: grpc %s is not in grpc_statuses", r.Name, r.GRPC)
		}
	}
	for _, list := range [][]foreign{s.Aduib2Errors, s.FromHTTP, s.FromJSONRPC, s.GRPCStatuses} {
		seen := map[int]bool{}
		for _, f := range list {
			if _, ok := names[f.Means]; !ok {
				return fmt.Errorf("foreign code %d means %s, which is not a code", f.Code, f.Means)
			}
			if seen[f.Code] {
				return fmt.Errorf("foreign code %d appears twice in one list", f.Code)
			}
			seen[f.Code] = true
		}
	}
	return nil
}

func named(list []foreign) map[string]int {
	out := make(map[string]int, len(list))
	for _, f := range list {
		out[f.Name] = f.Code
	}
	return out
}

// camel turns SVR_NOT_FOUND into SvrNotFound and keeps OK as it is.
func camel(name string) string {
	if name == "OK" {
		return name
	}
	var b strings.Builder
	for _, part := range strings.Split(name, "_") {
		b.WriteString(part[:1] + strings.ToLower(part[1:]))
	}
	return b.String()
}
