package node

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/format"
)

// Config is a home's config.yaml, with defaults for what it leaves out. Its keys
// are declared in config_keys.go, and documented in docs/config.md.
type Config struct {
	Node        genesis.NodeID // id of this node; "local" until it joins a federation
	Institution string
	Sector      genesis.Sector
	URL         string // as others reach the node; "" for a node that nobody else reaches

	Memory  int64         // bytes that work on data may hold at once
	Threads int           // 0: one per core
	Limits  format.Limits // what a raw file may cost
	Paths   []string      // folders from which stewards may name files

	Serve     ServeConfig
	Uploads   UploadsConfig
	Runs      RunsConfig
	Identity  IdentityConfig
	Policy    PolicyConfig
	Streams   StreamsConfig
	Journal   JournalConfig
	Telemetry TelemetryConfig
	Log       LogConfig
}

// ServeConfig is how `genesis serve` listens, and what it takes on at once.
type ServeConfig struct {
	Listen      string
	Insecure    bool     // plain HTTP on an address that others reach
	Hosts       []string // further names of the node
	Proxies     []string // addresses and networks of proxies that say for whom they ask
	TLS         TLSConfig
	Body        int64 // bytes of a request's JSON
	Rate        RateConfig
	Concurrency int // weight of short requests at once; 0: eight per core
	Streams     int // weight of long ones at once
	Drain       time.Duration
}

// TLSConfig names the files of a certificate.
type TLSConfig struct{ Cert, Key string }

// RateConfig is how often one caller may ask.
type RateConfig struct {
	PerSecond float64 // 0: not limited
	Burst     int
}

// UploadsConfig bounds uploads.
type UploadsConfig struct {
	Max    int64
	Expire time.Duration
	Quota  int64 // of one person
}

// RunsConfig bounds runs; zero fields are chosen by the machine.
type RunsConfig struct {
	Concurrent int
	Queue      int
	Memory     int64
	Time       time.Duration
	Keep       time.Duration // of one that is ended
	KeepLast   int
}

// IdentityConfig is how people sign in.
type IdentityConfig struct {
	Providers []identity.Provider
	Passwords string // file of passwords that nobody may take
	Session   SessionConfig
}

// SessionConfig is how long signing in lasts.
type SessionConfig struct{ Idle, Absolute time.Duration }

// PolicyConfig names the institution's own policies.
type PolicyConfig struct{ Dir string }

// StreamsConfig is what training streams may take.
type StreamsConfig struct {
	Cache  int64 // bytes on the disk
	Memory int64 // bytes of copies in memory
}

// JournalConfig is how reads are recorded.
type JournalConfig struct {
	Window time.Duration // in which small reads share their entries
}

// TelemetryConfig is where figures and traces go.
type TelemetryConfig struct {
	Metrics struct{ Listen string } // "": on the home's socket alone
	OTLP    struct {
		Endpoint string // "": no traces
		Share    float64
	}
}

// LogConfig is how `genesis serve` logs.
type LogConfig struct{ Level, Format string }

// DefaultMemory is what work on data may hold unless config.yaml says otherwise.
const DefaultMemory = 512_000_000

// maxConfig bounds config.yaml.
const maxConfig = 1 << 20

func readConfig(path string) (Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return parseConfig(path, nil)
	}
	if err != nil {
		return Config{}, configError(path, 0, plain(err), "")
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return Config{}, configError(path, 0, plain(err), "")
	}
	if len(b) > maxConfig {
		return Config{}, configError(path, 0, "is larger than 1 MiB", "")
	}
	return parseConfig(path, b)
}

// resolve makes paths absolute: they are written as seen from the home.
func (c *Config) resolve(home string) {
	for _, p := range []*string{&c.Serve.TLS.Cert, &c.Serve.TLS.Key, &c.Policy.Dir, &c.Identity.Passwords} {
		*p = from(home, *p)
	}
	for i := range c.Identity.Providers {
		p := &c.Identity.Providers[i].ClientSecretFile
		*p = from(home, *p)
	}
}

func from(home, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(home, path)
}
