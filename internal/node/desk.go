package node

import (
	"crypto/rand"
	"net"
	"os"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

const (
	// keepFile is how long a file may lie on the desk before a request takes it.
	keepFile = 15 * time.Minute

	// maxHanded bounds the files a session may leave on the desk.
	maxHanded = 100_000
)

// desk is where files that clients handed over lie until a request takes them.
// A file belongs to the session that brought it, and leaves with it.
type desk struct {
	keep time.Duration

	mu       sync.Mutex
	sessions map[string]*shelf
}

// shelf is one session's part of the desk.
type shelf struct {
	conn  net.Conn
	files map[string]*handed
}

type handed struct {
	file   *os.File
	expiry *time.Timer
}

func newDesk() *desk { return &desk{keep: keepFile, sessions: map[string]*shelf{}} }

// join opens a session over conn.
func (d *desk) join(conn net.Conn) (session string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	session = rand.Text()
	d.sessions[session] = &shelf{conn: conn, files: map[string]*handed{}}
	return session
}

// part closes a session and the files nobody took.
func (d *desk) part(session string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.sessions[session]
	if !ok {
		return
	}
	delete(d.sessions, session)
	for _, h := range s.files {
		h.expiry.Stop()
		h.file.Close()
	}
}

// put lays f on the session's shelf; the desk owns f from here on.
func (d *desk) put(session string, f *os.File) (token string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.sessions[session]
	if !ok || len(s.files) >= maxHanded {
		f.Close()
		return "", &genesis.Error{Op: "hand over", Kind: genesis.Invalid, Msg: "more files were handed over than one request may name"}
	}
	token = rand.Text()
	s.files[token] = &handed{file: f, expiry: time.AfterFunc(d.keep, func() { d.drop(session, token) })}
	return token, nil
}

// drop closes a file that nobody took in time.
func (d *desk) drop(session, token string) {
	if f, err := d.Take(session, token); err == nil {
		f.Close()
	}
}

// Take gives a file to the caller, once. It returns NotFound for a token that
// is unknown, expired, taken, or of another session.
func (d *desk) Take(session, token string) (*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.sessions[session]; ok {
		if h, ok := s.files[token]; ok {
			delete(s.files, token)
			h.expiry.Stop()
			return h.file, nil
		}
	}
	return nil, &genesis.Error{Op: "take file", Kind: genesis.Invalid, Msg: "was not handed over in this session, or is already taken",
		Hint: "hand the file over again"}
}

// close cuts off the sessions that are left.
func (d *desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sessions {
		s.conn.Close()
	}
}
