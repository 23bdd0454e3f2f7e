package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

type pose struct {
	X, Y float64
	Name string `json:",omitempty"`
}

func TestConnection_Values_GoThroughInEveryCodec(t *testing.T) {
	for _, codec := range []string{"json", "msgpack", "msgpack_blosc"} {
		t.Run(codec, func(t *testing.T) {
			f, m, router, _, c := newLinks(t, localConfig, nil, core.ConnectionOptions{Codec: codec})
			ctx := context.Background()
			moved := make(chan string, 1)
			add := func(path string, function any) {
				t.Helper()
				_, err := router.AddFunc(path, function)
				check(t, err)
			}
			add("math/add", func(a, b int) int { return a + b })
			add("move", func(_ context.Context, to pose, names []string) (pose, error) {
				if len(names) == 0 {
					return pose{}, errors.New("nobody to move")
				}
				return pose{X: to.X * 2, Y: to.Y, Name: strings.Join(names, "+")}, nil
			})
			add("stop", func() error { return rpc.NewStatus(rpc.CodeNotFound, "no motor").Err() })
			add("log", func(call *rpc.Call, line string) { moved <- call.Peer.Scheme + " " + line })

			var sum int
			check(t, c.CallValues(ctx, "math/add", &sum, 3, 4))
			if sum != 7 {
				t.Fatalf("3 + 4 = %d", sum)
			}
			var got pose
			check(t, c.CallValues(ctx, "move", &got, pose{X: 1.5, Y: -2}, []string{"a", "é"}))
			if got != (pose{X: 3, Y: -2, Name: "a+é"}) {
				t.Fatalf("moved to %+v", got)
			}
			check(t, c.CallValues(ctx, "log", nil, "hello"))
			if line := <-moved; line != "tcp hello" {
				t.Fatalf("logged %q", line)
			}
			for _, bad := range []struct {
				path string
				args []any
				code rpc.Code
				text string
			}{
				{"stop", nil, rpc.CodeNotFound, "no motor"},
				{"move", []any{pose{}, nil}, rpc.CodeUnknown, "nobody to move"},
				{"math/add", []any{1}, rpc.CodeInvalidArgument, "math/add takes 2 arguments, got 1"},
				{"math/add", []any{1, "x"}, rpc.CodeInvalidArgument, "argument 2 of math/add"},
				{"move", []any{map[string]int{"Z": 1}, nil}, rpc.CodeInvalidArgument, `unknown field "Z"`},
			} {
				err := c.CallValues(ctx, bad.path, nil, bad.args...)
				if s := rpc.StatusOf(err); s.Code() != bad.code || !strings.Contains(s.Message(), bad.text) {
					t.Errorf("%s%v: %v, expected %d %q", bad.path, bad.args, err, bad.code, bad.text)
				}
			}
			if err := c.CallValues(ctx, "math/add", nil, make(chan int)); err == nil || !strings.Contains(err.Error(), "arguments of math/add") {
				t.Errorf("a channel as an argument: %v", err)
			}

			// A service as an argument, called back by the function that got it.
			add("greet", func(ctx context.Context, call *rpc.Call, who json.RawMessage) (string, error) {
				back, ok := f.ConnectionOf(call)
				path, is := back.ReferencePathJSON(who)
				if !ok || !is {
					return "", errors.New("no service was given")
				}
				var name string
				err := back.CallValues(ctx, path+"/name", &name)
				return "hello " + name, err
			})
			own := m.NewRouter()
			_, err := own.AddFunc("me/name", func() string { return "Monty" })
			check(t, err)
			caller, err := m.Dial(ctx, core.DialOptions{ConnectionOptions: core.ConnectionOptions{Address: c.Peer().String(), Codec: codec, Router: own}})
			check(t, err)
			me, err := caller.ReferenceJSON("me")
			check(t, err)
			var greeting string
			check(t, caller.CallValues(ctx, "greet", &greeting, me))
			if greeting != "hello Monty" {
				t.Fatalf("greeting %q", greeting)
			}
		})
	}
}

func TestRouter_AddFunc_WhatCannotBeServed_IsRefused(t *testing.T) {
	_, _, router, _, _ := newLinks(t, localConfig, nil, core.ConnectionOptions{})
	for name, function := range map[string]any{
		"nothing": nil, "a number": 5, "variadic": func(...int) {}, "two values": func() (int, int) { return 1, 2 },
		"a nil function": (func())(nil),
	} {
		if _, err := router.AddFunc("x", function); core.KindOf(err) != core.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}
