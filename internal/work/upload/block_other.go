//go:build !unix

package upload

const dontBlock = 0
