// Command pingpong measures the floors of a call between two processes: bare TCP and bare net/http.
//
// pingpong serve starts both servers, prints their ports on one line and serves until its input ends.
// pingpong tcp|http PORT SIZE COUNT sends COUNT messages of SIZE bytes one after the other and prints the median round trip in
// microseconds as one JSON line.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pingpong:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "serve" {
		return serve()
	}
	if len(args) != 4 {
		return fmt.Errorf("usage: pingpong serve | pingpong tcp|http PORT SIZE COUNT")
	}
	size, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	once, err := dial(args[0], "127.0.0.1:"+args[1], make([]byte, size))
	if err != nil {
		return err
	}
	times := make([]time.Duration, 0, count)
	for i := range count + count/10 {
		begin := time.Now()
		if err := once(); err != nil {
			return err
		}
		if i >= count/10 { // the first tenth warms up
			times = append(times, time.Since(begin))
		}
	}
	slices.Sort(times)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"name": fmt.Sprintf("%s.%d", args[0], size), "unit": "us", "value": float64(times[len(times)/2]) / 1e3,
	})
}

// dial gives a function that makes one round trip.
func dial(kind, address string, body []byte) (func() error, error) {
	if kind == "http" {
		client := &http.Client{}
		return func() error {
			answer, err := client.Post("http://"+address+"/rpc/a/B", "application/protobuf", bytes.NewReader(body))
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			_, err = io.Copy(io.Discard, answer.Body)
			return err
		}, nil
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	frame := append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...)
	return func() error {
		if _, err := conn.Write(frame); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, frame)
		return err
	}, nil
}

func serve() error {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go acceptTCP(tcp)
	go func() {
		_ = http.Serve(web, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/protobuf")
			_, _ = w.Write(body)
		}))
	}()
	fmt.Println(tcp.Addr().(*net.TCPAddr).Port, web.Addr().(*net.TCPAddr).Port)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func acceptTCP(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go echo(conn)
	}
}

func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, 4, 1<<20)
	for {
		if _, err := io.ReadFull(conn, buffer[:4]); err != nil {
			return
		}
		frame := buffer[:4+binary.LittleEndian.Uint32(buffer)]
		if _, err := io.ReadFull(conn, frame[4:]); err != nil {
			return
		}
		if _, err := conn.Write(frame); err != nil {
			return
		}
	}
}
