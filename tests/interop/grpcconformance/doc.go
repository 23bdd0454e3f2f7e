// Package grpcconformance puts the HTTP/2 engine and AimRT's gRPC texts to the tests that gRPC's own implementations pass: grpc-go's
// interoperability client and server, both ways, and connectconformance in server and client mode.
package grpcconformance
