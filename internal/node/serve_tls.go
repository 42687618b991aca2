//go:build linux || darwin

package node

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

// lookEvery is how often the files of a certificate are looked at.
const lookEvery = 5 * time.Second

// certificates is a certificate in files that somebody renews. A pair that
// cannot be used, for instance because only one of the files is new yet, leaves
// the old one in force.
type certificates struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	looked  time.Time
	state   [2]fileState
}

// fileState changes when a file does.
type fileState struct {
	size    int64
	changed time.Time
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{info.Size(), info.ModTime()}
}

// readCertificates reads the pair. Errors: Invalid.
func readCertificates(cert, key string, log *slog.Logger) (*certificates, error) {
	c := &certificates{cert: cert, key: key, log: log}
	return c, c.load()
}

func (c *certificates) load() error {
	c.state = [2]fileState{stateOf(c.cert), stateOf(c.key)}
	c.looked = time.Now()
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		e := &genesis.Error{Op: "read certificate", Kind: genesis.Invalid, Subject: c.cert, Err: err,
			Msg: "cannot be used with its key: " + plain(err), Hint: "serve.tls in config.yaml names a PEM chain and its PEM key"}
		var p *fs.PathError
		if errors.As(err, &p) {
			e.Subject, e.Msg = p.Path, p.Err.Error()
		}
		return e
	}
	c.current = &pair
	return nil
}

// get returns the certificate for a connection.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) > lookEvery {
		c.looked = time.Now()
		if [2]fileState{stateOf(c.cert), stateOf(c.key)} != c.state {
			c.renew()
		}
	}
	return c.current, nil
}

// reload reads the pair whether or not it looks changed.
func (c *certificates) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renew()
}

func (c *certificates) renew() {
	if err := c.load(); err != nil {
		c.log.Error("the certificate stays the old one", "error", err)
		return
	}
	c.log.Info("the certificate was read again", "file", c.cert)
}
