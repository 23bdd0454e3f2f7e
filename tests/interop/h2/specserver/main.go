// Command specserver serves HTTP/2 with the engine under test and prints its port, for h2spec.
package main

import (
	"fmt"
	"os"
	"strconv"

	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/port"
)

var body = []byte("HTTP/2 says hello to everybody who asks for it.\n")

func answer(x *h2.Exchange) {
	x.Collect(0, func(x *h2.Exchange, _ []byte, err error) {
		if err != nil {
			x.Reset(h2.CodeCancel)
			return
		}
		head := h2.NewBlock(h2.Field{Name: ":status", Value: "200"}, h2.Field{Name: "content-length", Value: strconv.Itoa(len(body))})
		if x.Method() == "HEAD" {
			x.Respond(h2.Answer{Head: head})
			return
		}
		x.Respond(h2.Answer{Head: head, Body: body})
	})
}

func main() {
	// One case of h2spec sends a header frame larger than the initial maximum whatever the server announces.
	limits := h2.Limits{MaxFrameBytes: 16384}
	srv, err := h2.NewServer(h2.ServerConfig{Handler: answer, Limits: limits})
	if err == nil {
		var p *port.Port
		if p, err = port.Listen(port.Config{Address: "127.0.0.1:0", Serve: srv.ServeConn}); err == nil {
			fmt.Println(p.Addr().String())
			select {}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
