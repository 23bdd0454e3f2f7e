package httpx

import (
	"net"
	"os"
	"syscall"
	"unsafe"
)

// What waits in the receive buffer of a socket.
type arrival uint8

const (
	nothing  arrival = iota
	someData         // bytes nobody has read
	theEnd           // the peer has closed, or the connection has failed
)

// rawOf gives the socket under a connection, nil where there is none of our
// own: a wrapped connection may hold bytes that its socket no longer shows.
func rawOf(conn net.Conn) syscall.RawConn {
	var raw syscall.RawConn
	var err error
	switch c := conn.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	return raw
}

// peek looks what has arrived at a socket. It takes nothing and never waits,
// hence the raw system call: the scheduler need not know of it.
func peek(fd uintptr) arrival {
	var b byte
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1,
			syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return nothing
		case errno == 0 && n > 0:
			return someData
		default:
			return theEnd
		}
	}
}

// writeNow gives a socket as much of head and body as it takes without waiting
// for the peer; nothing is no error.
func writeNow(raw syscall.RawConn, head, body []byte) (n int64, err error) {
	vectors := make([]syscall.Iovec, 0, 2)
	for _, part := range [][]byte{head, body} {
		if len(part) > 0 {
			vectors = append(vectors, syscall.Iovec{Base: &part[0]})
			vectors[len(vectors)-1].SetLen(len(part))
		}
	}
	over := raw.Write(func(fd uintptr) bool {
		for {
			r, _, errno := syscall.Syscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&vectors[0])), uintptr(len(vectors)))
			switch errno {
			case 0:
				n = int64(r)
			case syscall.EINTR:
				continue
			case syscall.EAGAIN:
			default:
				err = os.NewSyscallError("writev", errno)
			}
			return true
		}
	})
	if over != nil {
		return 0, over
	}
	return n, err
}

// behind gives what of head and body follows the first n bytes.
func behind(head, body []byte, n int64) ([]byte, []byte) {
	h := min(n, int64(len(head)))
	return head[h:], body[n-h:]
}
