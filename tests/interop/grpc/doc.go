// Package grpc lets the grpc backend, in whole runtimes, talk to other implementations of gRPC: grpc-go and Python's grpcio, each in both
// roles. It has tests only.
package grpc
