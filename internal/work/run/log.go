package run

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

const (
	maxLog  = 16 << 20 // bytes of a run's log
	maxLine = 8 << 10  // bytes of one of its lines
)

// log is the log of a run: lines of a time and a text, in a file. What does not
// fit is left out, for a log must not fill the disk.
type log struct {
	path string

	mu      sync.Mutex
	file    *os.File
	size    int64
	changed chan struct{} // closed and replaced at every line
}

func openLog(path string) (*log, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &log{path: path, file: f, size: info.Size(), changed: make(chan struct{})}, nil
}

// line appends one line. A log that cannot be written stops no run.
func (l *log) line(text string) {
	text = strings.Map(oneLine, strings.ToValidUTF8(cut(text, maxLine), "\uFFFD"))
	b := time.Now().UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z ")
	b = append(append(b, text...), '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil || l.size >= maxLog {
		return
	}
	if l.size += int64(len(b)); l.size >= maxLog {
		b = append(b, "… the log is cut here\n"...)
	}
	_, _ = l.file.Write(b)
	close(l.changed)
	l.changed = make(chan struct{})
}

func oneLine(r rune) rune {
	if r == '\n' || r == '\r' {
		return ' '
	}
	return r
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

// watch returns a channel that is closed when there is another line.
func (l *log) watch() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.Close()
	l.file = nil
}

// lineWriter cuts what a child writes to its standard error into lines.
type lineWriter struct {
	line func(string)
	buf  []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		text, rest, whole := bytes.Cut(p, []byte("\n"))
		w.buf = append(w.buf, text[:min(len(text), max(0, maxLine+1-len(w.buf)))]...)
		if whole {
			w.flush()
		}
		p = rest
	}
	return n, nil
}

// flush ends the line that was begun.
func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.line(string(w.buf))
	}
	w.buf = w.buf[:0]
}

// tail reads the whole lines of a log from an offset on.
type tail struct {
	path   string
	offset int64
}

// send passes on the whole lines there are since the last call.
func (t *tail) send(p genesis.Progress) {
	f, err := os.Open(t.path)
	if err != nil {
		return // no line yet
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := f.ReadAt(buf, t.offset)
		whole := bytes.LastIndexByte(buf[:n], '\n') + 1
		for text := range strings.Lines(string(buf[:whole])) {
			p.Send(genesis.Event{Log: strings.TrimSuffix(text, "\n")})
		}
		t.offset += int64(whole)
		if err != nil || whole == 0 {
			return
		}
	}
}

// OpenLog opens the log of a run for reading; it returns its size, too.
func (m *Manager) OpenLog(id string) (io.ReadCloser, int64, error) {
	if checkID(id) != nil {
		return nil, 0, NotFound(id)
	}
	f, err := os.Open(m.logOf(id))
	if os.IsNotExist(err) {
		return io.NopCloser(strings.NewReader("")), 0, nil
	}
	if err != nil {
		return nil, 0, broken("read log", id, err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, broken("read log", id, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, info.Size()), f}, info.Size(), nil
}
