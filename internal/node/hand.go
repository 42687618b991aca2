//go:build linux || darwin

package node

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/opengenesis/genesis"
)

// handReply is what the node says on the hand-over socket, one line of JSON
// each: a greeting, a token for a file, or a problem.
type handReply struct {
	Session string           `json:"session,omitempty"`
	Token   string           `json:"token,omitempty"`
	Error   *genesis.Problem `json:"error,omitempty"`
}

const (
	replyTimeout = 10 * time.Second

	// retryAccept is the pause after an accept that failed, for instance because
	// there are no descriptors left.
	retryAccept = 50 * time.Millisecond
)

// takeSessions accepts sessions until the listener is closed.
func (n *Node) takeSessions() {
	for {
		conn, err := n.hand.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(retryAccept)
			continue
		}
		go n.serveSession(conn)
	}
}

// serveSession greets a client and takes its files until it goes. The node
// stays meanwhile. A client that finds the node leaving gets no greeting.
func (n *Node) serveSession(conn *net.UnixConn) {
	defer conn.Close()
	if err := n.checkPeer(conn); err != nil {
		_ = reply(conn, handReply{Error: problem(err)})
		return
	}
	if n.draining.Load() || !n.presence.enter() {
		return
	}
	defer n.presence.exit()
	session := n.desk.join(conn)
	defer n.desk.part(session)
	err := reply(conn, handReply{Session: session})
	for err == nil {
		err = n.takeFile(conn, session)
	}
}

// takeFile takes one file and answers with its token. Its error ends the session.
func (n *Node) takeFile(conn *net.UnixConn, session string) error {
	f, err := receive(conn)
	var wrong *genesis.Error
	if err != nil && !errors.As(err, &wrong) {
		return err
	}
	var token string
	if err == nil {
		token, err = n.desk.put(session, f)
	}
	if err != nil {
		return reply(conn, handReply{Error: problem(err)})
	}
	return reply(conn, handReply{Token: token})
}

// receive waits for a message with one descriptor. A message that is not like
// that is a *genesis.Error; the descriptors that came with it are closed.
func receive(conn *net.UnixConn) (*os.File, error) {
	var b [1]byte
	oob := make([]byte, syscall.CmsgSpace(4*8))
	n, oobn, flags, _, err := conn.ReadMsgUnix(b[:], oob)
	if err != nil {
		return nil, err
	}
	if n == 0 && oobn == 0 {
		return nil, net.ErrClosed
	}
	fds := descriptors(oob[:oobn])
	if flags&syscall.MSG_CTRUNC != 0 || len(fds) != 1 || b[0] != 'f' {
		for _, fd := range fds {
			syscall.Close(fd)
		}
		return nil, &genesis.Error{Op: "hand over", Kind: genesis.Unavailable, Msg: "the open file did not arrive: the node may have too many open",
			Hint: "raise the limit of open files (ulimit -n)"}
	}
	return os.NewFile(uintptr(fds[0]), "handed over"), nil
}

// descriptors returns the descriptors in control messages, closed on exec.
func descriptors(oob []byte) []int {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var all []int
	for i := range msgs {
		fds, err := syscall.ParseUnixRights(&msgs[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd) // already so on Linux
		}
		all = append(all, fds...)
	}
	return all
}

func reply(conn *net.UnixConn, r handReply) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := conn.SetWriteDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	_, err = conn.Write(append(b, '\n'))
	return err
}

func problem(err error) *genesis.Problem {
	p := genesis.ProblemOf(err, false)
	return &p
}
