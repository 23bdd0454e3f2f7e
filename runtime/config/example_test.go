package config_test

import (
	"fmt"

	"aimrtrpc/runtime/config"
)

const robot = `
aimrt:
  log:
    core_lvl: Warn
  rpc:
    backends:
      - type: http
        options:
          clients_options:
            - func_name: "(.*)"
              server_ulr: http://127.0.0.1:50080
    clients_options:
      - func_name: "(pb:/demo.*)"
        enable_backends: [http]
`

func ExampleLoad() {
	c, err := config.Load(config.Source{Text: robot, Name: "robot.yaml", Overrides: []string{"aimrt.log.core_lvl=Debug"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Log.CoreLevel, c.RPC.ClientRules[0].FuncName.Match("pb:/demo.Echo/Say"))

	_, err = config.Load(config.Source{Text: robot, Name: "robot.yaml", Overrides: []string{"aimrt.rpc.backends[0].type=htpp"}})
	fmt.Println(err)
	// Output:
	// Debug true
	// robot.yaml:14:27: aimrt.rpc.clients_options[0].enable_backends[0]: unknown backend "http", did you mean "htpp"? known: htpp (aimrt.rpc.backends)
}

func ExampleNode_Decode() {
	c, err := config.Load(config.Source{Text: robot, Name: "robot.yaml"})
	if err != nil {
		fmt.Println(err)
		return
	}
	backend := c.RPC.Backends[0]
	if backend.Type != "https" {
		fmt.Println(backend.Self.Field("type").Unknown("backend", "htpp", []string{"local", "http"}))
	}
	var options struct {
		Clients []struct {
			FuncName  config.Pattern `cfg:"func_name,required"`
			ServerURL string         `cfg:"server_url"`
		} `cfg:"clients_options"`
	}
	if err := backend.Options.Decode(&options); err != nil {
		fmt.Println(err)
	}
	for _, f := range c.Findings() {
		fmt.Println(f)
	}
	// Output:
	// robot.yaml:7:15: aimrt.rpc.backends[0].type: unknown backend "htpp", did you mean "http"? known: local, http
	// - Unused options: 'aimrt.rpc.backends[0].options.clients_options[0].server_ulr'! Did you mean: 'aimrt.rpc.backends[0].options.clients_options[0].server_url'? (robot.yaml:11)
}
