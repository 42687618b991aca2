//go:build race

package run

// raced: the race detector has memory of its own, which the limits count.
const raced = true
