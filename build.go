package genesis

import (
	"runtime"
	"runtime/debug"
)

// Software is the program that runs.
type Software struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a working tree with changes
	Go       string `json:"go"`
	Platform string `json:"platform"` // linux/amd64
}

// Build returns what the running program was built from, as the Go toolchain
// recorded it.
func Build() Software {
	s := Software{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return s
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		s.Version = v
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			s.Commit = setting.Value
		case "vcs.modified":
			s.Modified = setting.Value == "true"
		}
	}
	return s
}

// String returns name and version in one line: "genesis v0.3.0".
func (s Software) String() string { return "genesis " + s.Version }
