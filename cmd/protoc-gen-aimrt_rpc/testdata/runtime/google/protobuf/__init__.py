"""Stands in for protobuf: generated stubs import it, these tests send no message."""
