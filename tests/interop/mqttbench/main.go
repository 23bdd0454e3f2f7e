// Command mqttbench measures what a request and its reply over a broker take
// with a raw MQTT client of others (paho, MQTT 3.1.1), without any RPC.
//
// mqttbench serve PORT QOS answers every message until its input ends, after
// printing "ready". mqttbench call PORT QOS SIZE COUNT sends one message after
// the other and prints the median as one JSON line, microseconds.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

const (
	requestTopic = "mqttbench/request"
	replyTopic   = "mqttbench/reply"
	patience     = 10 * time.Second
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mqttbench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if !(len(args) == 3 && args[0] == "serve") && !(len(args) == 5 && args[0] == "call") {
		return fmt.Errorf("usage: mqttbench serve PORT QOS | mqttbench call PORT QOS SIZE COUNT")
	}
	numbers := make([]int, len(args))
	for i := 1; i < len(args); i++ {
		n, err := strconv.Atoi(args[i])
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://127.0.0.1:" + args[1]).SetClientID("mqttbench_" + args[0]).
		SetProtocolVersion(4).SetOrderMatters(false))
	if err := wait(client.Connect()); err != nil {
		return err
	}
	defer client.Disconnect(100)
	qos := byte(numbers[2])
	if args[0] == "serve" {
		return serve(client, qos)
	}
	return call(client, qos, numbers[3], numbers[4])
}

func wait(token paho.Token) error {
	if !token.WaitTimeout(patience) {
		return fmt.Errorf("the broker did not answer within %v", patience)
	}
	return token.Error()
}

func serve(client paho.Client, qos byte) error {
	err := wait(client.Subscribe(requestTopic, qos, func(c paho.Client, m paho.Message) { c.Publish(replyTopic, qos, false, m.Payload()) }))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func call(client paho.Client, qos byte, size, count int) error {
	got := make(chan int, 1)
	if err := wait(client.Subscribe(replyTopic, qos, func(_ paho.Client, m paho.Message) { got <- len(m.Payload()) })); err != nil {
		return err
	}
	body := make([]byte, size)
	times := make([]time.Duration, 0, count)
	for i := range count + count/10 {
		begin := time.Now()
		client.Publish(requestTopic, qos, false, body)
		select {
		case n := <-got:
			if n != size {
				return fmt.Errorf("%d bytes came back of %d", n, size)
			}
		case <-time.After(patience):
			return fmt.Errorf("no reply within %v", patience)
		}
		if i >= count/10 { // the first tenth warms up
			times = append(times, time.Since(begin))
		}
	}
	slices.Sort(times)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"name": fmt.Sprintf("paho.mqtt%d.%d", qos, size), "unit": "us", "value": float64(times[len(times)/2]) / 1e3,
	})
}
