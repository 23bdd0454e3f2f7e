package logging_test

import (
	"fmt"
	"os"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/logging"
)

func Example() {
	c, err := config.Load(config.Source{Text: `
aimrt:
  log:
    backends:
      - type: console
        options: {color: false, pattern: "[%l][%n][%G:%R @%F]%v"}
  module:
    modules:
      - {name: Camera, log_lvl: Warn}
`})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := logging.New(logging.Options{Stdout: os.Stdout})
	if err := m.Configure(c); err != nil {
		fmt.Println(err)
		return
	}
	camera := m.Module("Camera")
	camera.Log(logging.Info, 7, "/src/camera.cc", "Grab", "below the level of the module")
	camera.Log(logging.Error, 8, "/src/camera.cc", "Grab", "no frame")
	m.Core("core").Log(logging.Info, 0, "", "", "AimRT start.")
	if err := m.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// [Error][Camera][camera.cc:8 @Grab]no frame
	// [Info][core][:0 @]AimRT start.
}
