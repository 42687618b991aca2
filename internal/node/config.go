package node

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/dustin/go-humanize"
	"go.yaml.in/yaml/v3"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work/run"
)

// Config is a home's config.yaml. Every key is optional.
type Config struct {
	Node    genesis.NodeID // id of this node; "local" until it joins a federation
	Memory  int64          // bytes that work on data may hold at once
	Threads int            // 0: one per core
	Limits  format.Limits  // what a raw file may cost; zero fields mean the default
	Runs    run.Limits     // what runs may cost; zero fields mean the default
}

// DefaultMemory is what work on data may hold unless config.yaml says otherwise.
const DefaultMemory = 512_000_000

const configTemplate = `# Configuration of this Genesis home. Every key is optional; these are the
# defaults.

# node: local        # id of this node, for others: a-z, 0-9 and -
# memory: 512MB      # what work on data may hold in memory at once, whatever its size
# threads: 0         # cores to use; 0 means all
# limits:            # what a raw file may cost before it is refused
#   columns: 100000  # columns of a table
#   expansion: 1000  # bytes unpacked per packed byte
#   depth: 1000      # nesting of JSON
#   row: 64MiB       # one row
#   members: 10000   # files in an archive
# runs:              # prepare, train and predict, each in a process of its own
#   concurrent: 0    # at once; 0 means one per two cores
#   queue: 100       # that wait for their turn
#   memory: 0        # one may hold; 0 means its share of three quarters of the machine's
#   time: 24h        # one may take
`

// configFile is config.yaml as it is spelled.
type configFile struct {
	Node    string `yaml:"node"`
	Memory  string `yaml:"memory"`
	Threads int    `yaml:"threads"`
	Limits  struct {
		Columns   int    `yaml:"columns"`
		Expansion int64  `yaml:"expansion"`
		Depth     int    `yaml:"depth"`
		Row       string `yaml:"row"`
		Members   int    `yaml:"members"`
	} `yaml:"limits"`
	Runs struct {
		Concurrent int    `yaml:"concurrent"`
		Queue      int    `yaml:"queue"`
		Memory     string `yaml:"memory"`
		Time       string `yaml:"time"`
	} `yaml:"runs"`
}

// maxConfig bounds config.yaml.
const maxConfig = 1 << 20

func readConfig(path string) (Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return parseConfig(path, nil)
	}
	if err != nil {
		return Config{}, configError(path, plain(err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return Config{}, configError(path, plain(err))
	}
	if len(b) > maxConfig {
		return Config{}, configError(path, "is larger than 1 MiB")
	}
	return parseConfig(path, b)
}

// parseConfig reads b; a key it does not know is an error that names the line.
func parseConfig(path string, b []byte) (Config, error) {
	var file configFile
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, configError(path, err.Error())
	}
	c := Config{
		Node: "local", Memory: DefaultMemory, Threads: file.Threads,
		Limits: format.Limits{Columns: file.Limits.Columns, Expansion: file.Limits.Expansion, Depth: file.Limits.Depth, Members: file.Limits.Members},
	}
	return c, c.take(path, file)
}

var nodePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// take checks what file says and fills the fields that need it.
func (c *Config) take(path string, file configFile) error {
	if file.Node != "" {
		if !nodePattern.MatchString(file.Node) {
			return configError(path, "node: is not 1 to 64 of a-z, 0-9 and -")
		}
		c.Node = genesis.NodeID(file.Node)
	}
	if file.Memory != "" {
		n, err := size(file.Memory, 64<<20, 1<<50)
		if err != nil {
			return configError(path, "memory: "+err.Error())
		}
		c.Memory = n
	}
	if file.Limits.Row != "" {
		n, err := size(file.Limits.Row, 1<<10, 1<<31-1)
		if err != nil {
			return configError(path, "limits.row: "+err.Error())
		}
		c.Limits.RowBytes = int(n)
	}
	l := file.Limits
	if file.Threads < 0 || l.Columns < 0 || l.Expansion < 0 || l.Depth < 0 || l.Members < 0 {
		return configError(path, "holds a negative number")
	}
	return c.takeRuns(path, file)
}

// takeRuns is take for the section runs.
func (c *Config) takeRuns(path string, file configFile) (err error) {
	r := file.Runs
	if r.Concurrent < 0 || r.Queue < 0 {
		return configError(path, "runs: holds a negative number")
	}
	c.Runs.Concurrent, c.Runs.Queue = r.Concurrent, r.Queue
	if r.Memory != "" && r.Memory != "0" {
		if c.Runs.Memory, err = size(r.Memory, 128<<20, 1<<50); err != nil {
			return configError(path, "runs.memory: "+err.Error())
		}
	}
	if r.Time != "" {
		if c.Runs.Time, err = time.ParseDuration(r.Time); err != nil || c.Runs.Time < time.Second {
			return configError(path, `runs.time: is not a time of a second or more like "90m" or "24h"`)
		}
	}
	return nil
}

// size reads "512MB" or "64MiB".
func size(s string, least, most int64) (int64, error) {
	n, err := humanize.ParseBytes(s)
	if err != nil {
		return 0, errors.New(`is not a size like "512MB"`)
	}
	if n < uint64(least) || n > uint64(most) {
		return 0, errors.New("is not between " + humanize.IBytes(uint64(least)) + " and " + humanize.IBytes(uint64(most)))
	}
	return int64(n), nil
}

func configError(path, msg string) error {
	return &genesis.Error{Op: "read config", Kind: genesis.Invalid, Subject: path, Msg: msg,
		Hint: "docs/cli.md lists the keys"}
}
