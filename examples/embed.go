// Package examples carries the sample data of this folder inside the binary,
// so that `genesis demo` works anywhere. README.md says where each file comes
// from and under which licence.
package examples

import "embed"

// Files holds the sample data.
//
//go:embed energy materials medicine environment
var Files embed.FS
