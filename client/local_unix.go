//go:build linux || darwin

package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/opengenesis/genesis"
)

// handTimeout bounds how long a node may take to accept a session or a file.
const handTimeout = 10 * time.Second

// ErrNoNode says that nobody serves the home: the caller may serve it itself.
var ErrNoNode = errors.New("no node serves this home")

// session is the connection over which files are handed to a local node. While
// it is open the node stays.
type session struct {
	id string

	mu   sync.Mutex
	conn *net.UnixConn
	r    *bufio.Reader
}

// Dial reaches the node whose sockets lie in dir. It returns ErrNoNode when
// there is none, or one that is just leaving.
func Dial(ctx context.Context, dir string) (*Client, error) {
	s, err := openSession(ctx, filepath.Join(dir, "hand.sock"))
	if err != nil {
		return nil, err
	}
	dialAPI := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "api.sock"))
	}
	c := New("http://genesis", &http.Client{Transport: &http.Transport{DialContext: dialAPI, DisableCompression: true}})
	c.session = s
	return c, nil
}

func openSession(ctx context.Context, path string) (*session, error) {
	conn, err := (&net.Dialer{Timeout: handTimeout}).DialContext(ctx, "unix", path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNoNode
	}
	if err != nil {
		return nil, &genesis.Error{Op: "reach node", Kind: genesis.Unavailable, Subject: path, Err: err}
	}
	s := &session{conn: conn.(*net.UnixConn), r: bufio.NewReader(conn)}
	hello, err := s.reply()
	if err == nil {
		s.id = hello.Session
		return s, nil
	}
	s.conn.Close()
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return nil, ErrNoNode // it closed instead of a greeting: it is leaving
	}
	return nil, err
}

// handReply is what the node says on the hand-over socket: a greeting, a token
// for a file, or a problem.
type handReply struct {
	Session string           `json:"session,omitempty"`
	Token   string           `json:"token,omitempty"`
	Error   *genesis.Problem `json:"error,omitempty"`
}

func (s *session) reply() (handReply, error) {
	var r handReply
	if err := s.conn.SetReadDeadline(time.Now().Add(handTimeout)); err != nil {
		return r, err
	}
	line, err := s.r.ReadSlice('\n')
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, &genesis.Error{Op: "reach node", Kind: genesis.Unavailable, Msg: "the socket does not speak like a Genesis node", Err: err}
	}
	if r.Error != nil {
		return r, r.Error.Err()
	}
	return r, nil
}

func (s *session) close() error { return s.conn.Close() }

// HandOver passes an open file to the node and returns how to name it in a
// request. The node has a descriptor of its own from then on: f may be closed.
// path is what a person calls the file. A token serves one request.
func (c *Client) HandOver(ctx context.Context, f *os.File, path string) (genesis.FileRef, error) {
	if c.session == nil {
		return genesis.FileRef{}, &genesis.Error{Op: "hand over", Kind: genesis.Unsupported, Subject: path, Msg: "files can be handed only to a node on this machine"}
	}
	if err := ctx.Err(); err != nil {
		return genesis.FileRef{}, broken(ctx, err)
	}
	token, err := c.session.handOver(f)
	var known *genesis.Error
	if err != nil && !errors.As(err, &known) {
		err = &genesis.Error{Op: "hand over", Kind: genesis.Unavailable, Subject: path, Msg: "the node did not take the file", Err: err}
	}
	return genesis.FileRef{Path: path, Token: token}, err
}

// handOver sends one byte with the descriptor and waits for its token: one at a
// time, so that descriptors and messages cannot come apart.
func (s *session) handOver(f *os.File) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, err := f.SyscallConn()
	if err != nil {
		return "", err
	}
	var sendErr error
	err = raw.Control(func(fd uintptr) {
		_, _, sendErr = s.conn.WriteMsgUnix([]byte{'f'}, syscall.UnixRights(int(fd)), nil)
	})
	if err := errors.Join(err, sendErr); err != nil {
		return "", err
	}
	r, err := s.reply()
	return r.Token, err
}
