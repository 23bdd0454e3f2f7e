package aiomas

import (
	"fmt"
	"net"
	"strings"

	"aimrtrpc/runtime/rpc"
)

// Networks of an address.
const (
	tcp   = "tcp"
	unix  = "unix"
	local = "local"
)

// MaxLocalNameBytes bounds the name of an address inside the process.
const MaxLocalNameBytes = 256

// address is where an end listens or connects to.
type address struct {
	network string
	text    string // "host:port", a file path, or a name
	path    string // what follows the port: a service below the root
}

// parseAddress reads "tcp://host:port", "aiomas://host:port", "host:port", "unix:///path" or "local://name". Only the forms with host and port
// have room for the path of a service.
func parseAddress(text string) (address, error) {
	target, err := rpc.ParseTarget(text)
	if err != nil {
		return address{}, err
	}
	if target.Query != "" || target.Fragment != "" {
		return address{}, fmt.Errorf("address %q has a query or a fragment, which mean nothing here", text)
	}
	switch target.Scheme {
	case "", tcp, Name:
		if _, port, err := net.SplitHostPort(target.Address); err != nil || port == "" {
			return address{}, fmt.Errorf("address %q has no host and port, expected for example tcp://127.0.0.1:5555", text)
		}
		return address{tcp, target.Address, strings.Trim(target.Path, "/")}, nil
	case unix:
		if target.Address != "" || len(target.Path) < 2 {
			return address{}, fmt.Errorf("address %q names no file, expected for example unix:///run/robot.sock", text)
		}
		return address{network: unix, text: target.Path}, nil
	case local:
		if target.Path != "" || target.Address == "" || len(target.Address) > MaxLocalNameBytes {
			return address{}, fmt.Errorf(`address %q has no name of 1 to %d bytes without "/", expected for example local://arm`, text, MaxLocalNameBytes)
		}
		return address{network: local, text: target.Address}, nil
	}
	return address{}, fmt.Errorf("address %q begins with %q, expected tcp, unix, local or %s", text, target.Scheme, Name)
}

func (a address) String() string { return a.network + "://" + a.text }
