"""Stands in for protobuf's json_format."""
