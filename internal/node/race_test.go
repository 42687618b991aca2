//go:build race && (linux || darwin)

package node

import "time"

func init() { patience = 2 * time.Minute }
