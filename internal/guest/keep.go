package guest

import (
	"context"
	"io"
	"sync"
	"time"
)

// renewAgain is when the next session is asked for again, while there is none.
const renewAgain = 5 * time.Second

// keep renews the session for as long as an answer is being read.
func (s *Session) keep(body io.ReadCloser) io.ReadCloser {
	k := &kept{ReadCloser: body, s: s}
	k.wait()
	return k
}

type kept struct {
	io.ReadCloser
	s *Session

	mu    sync.Mutex
	timer *time.Timer
	done  bool
}

func (k *kept) wait() {
	k.s.mu.Lock()
	due := k.s.renew.Sub(k.s.Now())
	k.s.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.done {
		k.timer = time.AfterFunc(max(due, renewAgain), k.renew)
	}
}

// renew asks for the next session. If there is none now, there may be one soon; who reads
// is told by the node when it was the last.
func (k *kept) renew() {
	_, _ = k.s.current(context.Background(), "")
	k.wait()
}

func (k *kept) Read(b []byte) (int, error) {
	n, err := k.ReadCloser.Read(b)
	if err != nil {
		k.stop()
	}
	return n, err
}

func (k *kept) Close() error {
	k.stop()
	return k.ReadCloser.Close()
}

func (k *kept) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.done = true
	k.timer.Stop()
}
