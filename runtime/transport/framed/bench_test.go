package framed

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
)

// credits lets so many frames be under way.
type credits chan struct{}

func (c credits) Frame(*Conn, []byte) { c <- struct{}{} }
func (c credits) Closed(*Conn, error) {}

func BenchmarkEcho(b *testing.B) {
	for _, network := range []string{"tcp", "unix"} {
		for _, inFlight := range []int{1, 64} {
			for _, size := range []int{64, 4 << 10, 256 << 10} {
				b.Run(fmt.Sprintf("%s/%d/%d", network, inFlight, size), func(b *testing.B) {
					address := "127.0.0.1:0"
					if network == "unix" {
						address = filepath.Join(b.TempDir(), "s")
					}
					l, err := Listen(ListenConfig{Network: network, Address: address, Accept: func(*Conn) Handler { return mirror{newInbox()} }})
					if err != nil {
						b.Fatal(err)
					}
					defer l.Close()
					c, err := Dial(context.Background(), DialConfig{Network: network, Address: l.Addr().String(), Conn: Config{MaxQueueBytes: 64 << 20}})
					if err != nil {
						b.Fatal(err)
					}
					free := make(credits, inFlight)
					c.Start(free)
					defer c.Close()
					for range inFlight {
						free <- struct{}{}
					}
					payload := make([]byte, size)
					b.ReportAllocs()
					b.SetBytes(int64(size))
					for b.Loop() {
						<-free
						if err := c.Send(context.Background(), payload); err != nil {
							b.Fatal(err)
						}
					}
					for range inFlight {
						<-free
					}
				})
			}
		}
	}
}
