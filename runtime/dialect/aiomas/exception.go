package aiomas

// ExceptionText is a failure in the form aiomas sends it, so that callers find the type and the message in the last line.
func ExceptionText(class, message string) string {
	return "Traceback (most recent call last):\n  ...\n" + class + ": " + message + "\n"
}
