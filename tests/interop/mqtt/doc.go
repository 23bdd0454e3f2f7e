// Package mqtt tests the mqtt backend against a real Mosquitto and peers that
// others wrote: Mosquitto's own clients and paho's MQTT 3.1.1 client, which
// speak AimRT's payloads here. It has no product code.
package mqtt
