//go:build !race

package httpx

const pooledSlack = 0
