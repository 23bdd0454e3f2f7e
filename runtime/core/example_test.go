package core_test

import (
	"context"
	"fmt"
	"strings"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

// A Go program that serves a method and calls it, in one process.
func Example() {
	ctx := context.Background()
	r := core.New(core.Options{ConfigText: `
aimrt:
  rpc:
    backends: [{type: local}]
    clients_options: [{func_name: "(.*)", enable_backends: [local]}]
    servers_options: [{func_name: "(.*)", enable_backends: [local]}]
`, Log: quiet{}})
	if err := r.Initialize(ctx); err != nil {
		fmt.Println(err)
		return
	}
	module, err := r.NewModule(core.ModuleOptions{Name: "Greeter"})
	if err != nil {
		fmt.Println(err)
		return
	}
	shout := core.HandlerFunc(func(_ context.Context, _ *rpc.Call, request []byte) ([]byte, error) {
		return []byte(strings.ToUpper(string(request)) + "!"), nil
	})
	if _, err := module.RegisterService(core.ServiceOptions{Name: "pb:/demo.Greeter/Shout", Handler: shout}); err != nil {
		fmt.Println(err)
		return
	}
	client, err := module.RegisterClient(core.ClientOptions{Name: "pb:/demo.Greeter/Shout"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := r.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.Call(ctx, nil, []byte("hello"))
	fmt.Println(string(answer), err)
	fmt.Println(r.Shutdown(ctx), r.State())
	// Output:
	// HELLO! <nil>
	// <nil> Shutdown
}
