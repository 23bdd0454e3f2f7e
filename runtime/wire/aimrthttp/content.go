package aimrthttp

import (
	"bytes"
	"fmt"
)

// families pairs serialization types with content types.
var families = []struct{ serialization, contentType string }{
	{"pb", "application/protobuf"},
	{"json", "application/json"},
	{"ros2", "application/ros2"},
}

// ContentType is the content type of a serialization type.
func ContentType(serialization string) (string, error) {
	for _, f := range families {
		if f.serialization == serialization {
			return f.contentType, nil
		}
	}
	return "", fmt.Errorf("serialization type %q has no content type; known: pb, json, ros2", serialization)
}

// Serialization is the serialization type of a content type. AimRT compares the
// whole text, and has one form with a charset and no semicolon; parameters and
// upper-case letters are accepted here as well.
func Serialization(contentType []byte) (string, bool) {
	media, _, _ := bytes.Cut(contentType, []byte(";"))
	media = bytes.TrimRight(media, " \t")
	if string(media) == "application/json charset=utf-8" {
		return "json", true
	}
	for _, f := range families {
		if equalFold(media, f.contentType) {
			return f.serialization, true
		}
	}
	return "", false
}
