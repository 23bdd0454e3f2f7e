// Command goserver serves echo over aiomas' RPC layer from Go, for the benchmark
// beside the real aiomas: goserver serve JSON|MsgPack prints its port and ends
// with its input.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"aimrtrpc/runtime/core"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	wire "aimrtrpc/runtime/wire/aiomas"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "goserver:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 || args[0] != "serve" {
		return fmt.Errorf("arguments are %q, expected serve JSON|MsgPack", args)
	}
	ctx := context.Background()
	runtime := core.New(core.Options{ConfigText: "aimrt: {log: {core_lvl: Warn, backends: [{type: console}]}}"})
	if err := runtime.Initialize(ctx); err != nil {
		return err
	}
	module, err := runtime.NewModule(core.ModuleOptions{Name: "echo"})
	if err != nil {
		return err
	}
	router := module.NewRouter()
	if _, err := router.Add(core.ServiceOptions{Name: "echo", Handler: core.HandlerFunc(echo), NonBlocking: true}); err != nil {
		return err
	}
	if err := runtime.Start(ctx); err != nil {
		return err
	}
	listener, err := module.Listen(core.ListenOptions{ConnectionOptions: core.ConnectionOptions{
		Address: "127.0.0.1:0", Codec: strings.ToLower(args[1]), Router: router,
	}})
	if err != nil {
		return err
	}
	fmt.Println(listener.Address()[strings.LastIndexByte(listener.Address(), ':')+1:])
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return runtime.Shutdown(ctx)
}

// echo gives the first argument back.
func echo(_ context.Context, call *rpc.Call, request []byte) ([]byte, error) {
	format := wire.Format{Codec: wire.JSON}
	if call.Context.Serialization == "msgpack" {
		format.Codec = wire.MsgPack
	}
	args, _, err := dialect.SplitPair(format, request)
	if err != nil {
		return nil, err
	}
	for value := range dialect.Elements(format, args) {
		return value, nil
	}
	return nil, errors.New("echo() takes one argument")
}
