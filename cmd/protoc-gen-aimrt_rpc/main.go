// Command protoc-gen-aimrt_rpc is a protoc plugin: it reads a CodeGeneratorRequest from its standard input and answers
// with one Python stub, for use with aimrt_py, for every .proto of the request that defines a service, or with a C++ header
// and source for every .proto on the command line. README.md beside this file says what a stub contains and which helpers
// it calls.
//
// It works on plain descriptors and knows nothing of the runtime; nobody imports it.
package main

import (
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

const usage = `protoc-gen-aimrt_rpc is a protoc plugin and reads its request from the standard input. Use it through protoc:

    protoc --python_out=DIR --aimrt_rpc_out=DIR --plugin=protoc-gen-aimrt_rpc=PATH x.proto

Parameter (--aimrt_rpc_out=lang=cpp:DIR): lang, the language of the stubs, python or cpp. Without it the stubs are Python, or C++
when the program is called by AimRT's name for that generator, protoc_plugin_cpp_gen_aimrt_cpp_rpc.
`

func main() {
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run answers one request. Problems of the proto files travel inside the answer, as protoc wants it; the exit code is
// non-zero only when there is no usable request or the answer cannot be written.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	if len(args) > 1 {
		fmt.Fprint(errOut, usage)
		if args[1] == "-h" || args[1] == "--help" {
			return 0
		}
		return 2
	}
	data, err := io.ReadAll(in)
	if err != nil {
		fmt.Fprintf(errOut, "protoc-gen-aimrt_rpc: reading the request: %v\n", err)
		return 1
	}
	request := &pluginpb.CodeGeneratorRequest{}
	if err := proto.Unmarshal(data, request); err != nil {
		fmt.Fprintf(errOut, "protoc-gen-aimrt_rpc: standard input is no CodeGeneratorRequest: %v\n%s", err, usage)
		return 1
	}
	response, notes := generate(request, defaultLanguage(args[0]))
	for _, note := range notes {
		fmt.Fprintf(errOut, "protoc-gen-aimrt_rpc: %s\n", note)
	}
	data, err = proto.Marshal(response)
	if err == nil {
		_, err = out.Write(data)
	}
	if err != nil {
		fmt.Fprintf(errOut, "protoc-gen-aimrt_rpc: writing the answer: %v\n", err)
		return 1
	}
	return 0
}
