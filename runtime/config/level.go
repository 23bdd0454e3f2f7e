package config

import (
	"fmt"
	"strings"
)

// LogLevel is one of AimRT's log levels, 0 to 6.
type LogLevel int32

// The levels; LogOff writes nothing.
const (
	LogTrace LogLevel = iota
	LogDebug
	LogInfo
	LogWarn
	LogError
	LogFatal
	LogOff
)

var levelNames = []string{"Trace", "Debug", "Info", "Warn", "Error", "Fatal", "Off"}

// String gives the word that AimRT prints, Off for anything out of range.
func (l LogLevel) String() string {
	if l < LogTrace || l > LogOff {
		return levelNames[LogOff]
	}
	return levelNames[l]
}

// ParseLogLevel reads a level word in any letter case.
func ParseLogLevel(word string) (LogLevel, error) {
	for i, name := range levelNames {
		if strings.EqualFold(word, name) {
			return LogLevel(i), nil
		}
	}
	message, _ := unknownWord("log level", word, levelNames)
	return LogOff, fmt.Errorf("%s", message)
}

// MarshalText gives the word.
func (l LogLevel) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the word.
func (l *LogLevel) UnmarshalText(text []byte) error {
	level, err := ParseLogLevel(string(text))
	if err == nil {
		*l = level
	}
	return err
}
