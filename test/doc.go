// Package test is the root of the nested module that holds what is too heavy
// for `go test ./...`: peers in other languages, whole benchmarks, tables over
// many training runs. Its go.mod also pins the tools that CI uses, so that the
// product's go.mod stays small.
package test
