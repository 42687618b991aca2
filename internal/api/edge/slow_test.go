package edge

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
)

// TestSlowClients: those who do not read their answers, or do not send their bodies, do
// not keep others from short requests, and themselves have no more than their share.
func TestSlowClients(t *testing.T) {
	for name, request := range map[string]string{
		"answer": "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"body":   "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := make(chan struct{}, 100)
			g := newRig(t, Config{Concurrency: 10, Streams: 12, Metrics: NewMetrics()}, map[string]Route{"GET /other": {}}, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/other" {
					return
				}
				began <- struct{}{}
				if _, err := io.ReadAll(r.Body); err != nil {
					return
				}
				for block := make([]byte, 1<<20); ; {
					if _, err := w.Write(block); err != nil {
						return
					}
				}
			})
			srv := httptest.NewServer(g.handler)
			defer srv.Close()
			other := func() int {
				resp, err := http.Get(srv.URL + "/other")
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				return resp.StatusCode
			}
			var conns []net.Conn
			for range 10 {
				c, err := net.Dial("tcp", srv.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := io.WriteString(c, request); err != nil {
					t.Fatal(err)
				}
				conns = append(conns, c)
				<-began
			}
			if status := other(); status != 429 {
				t.Errorf("as long as nobody knows that they are slow: %d", status)
			}
			time.Sleep(2 * patience)
			if status := other(); status != 200 {
				t.Errorf("they keep others away: %d", status)
			}
			left := func() (short, stream int) {
				g.admission.mu.Lock()
				defer g.admission.mu.Unlock()
				return g.admission.short, g.admission.stream
			}
			if short, stream := left(); short != 0 || stream != leastShare {
				t.Errorf("%d are short, and %d long", short, stream)
			}
			if name == "body" { // who is cut off is not waited for
				time.Sleep(leftoverTimeout)
				gone := 0
				for _, c := range conns {
					_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
					if _, err := io.Copy(io.Discard, c); err == nil {
						gone++
					}
				}
				if gone != len(conns)-leastShare {
					t.Errorf("%d connections have ended", gone)
				}
			}
			for _, c := range conns {
				c.Close()
			}
			for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
				if short, stream := left(); short == 0 && stream == 0 {
					break
				}
			}
			g.shares.mu.Lock()
			defer g.shares.mu.Unlock()
			if short, stream := left(); short != 0 || stream != 0 || len(g.shares.by) != 0 {
				t.Errorf("room is not given back: %d, %d, %v", short, stream, g.shares.by)
			}
		})
	}
}

// piped is a listener of pipes.
type piped chan net.Conn

func (l piped) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l piped) Close() error   { return nil }
func (l piped) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// TestQuietStreams: over HTTP/2 a stream on which there is nothing to send for minutes goes
// on; one that nobody reads does not.
func TestQuietStreams(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	for name, reads := range map[string]bool{"quiet": true, "unread": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan error, 1)
				g := newRig(t, Config{}, map[string]Route{"GET /s": {Stream: true}}, func(w http.ResponseWriter, _ *http.Request) {
					rc := http.NewResponseController(w)
					for _, block := range [][]byte{[]byte("a"), []byte("b"), make([]byte, 64<<20)} {
						_, err := w.Write(block)
						if err == nil {
							err = rc.Flush()
						}
						if err != nil {
							ended <- err
							return
						}
						time.Sleep(3 * writeTimeout)
					}
					ended <- nil
				})
				var only http.Protocols
				only.SetUnencryptedHTTP2(true)
				l := make(piped, 1)
				srv := &http.Server{Handler: g.handler, Protocols: &only}
				go func() { _ = srv.Serve(l) }()
				transport := &http.Transport{Protocols: &only, DialContext: func(context.Context, string, string) (net.Conn, error) {
					here, there := net.Pipe()
					l <- there
					return here, nil
				}}
				resp, err := (&http.Client{Transport: transport}).Get("http://localhost/s")
				if err != nil {
					t.Fatal(err)
				}
				r := bufio.NewReader(resp.Body)
				if first, err := r.ReadByte(); err != nil || first != 'a' || resp.ProtoMajor != 2 {
					t.Fatal(first, err, resp.Proto)
				}
				if second, err := r.ReadByte(); err != nil || second != 'b' {
					t.Errorf("after a while comes %q, %v", second, err)
				}
				began := time.Now()
				if reads {
					if n, err := io.Copy(io.Discard, r); err != nil || n != 64<<20 {
						t.Errorf("%d bytes, %v", n, err)
					}
				}
				if err := <-ended; (err == nil) != reads {
					t.Errorf("the handler ended with %v", err)
				}
				if took := time.Since(began) - 3*writeTimeout; !reads && (took < writeTimeout/2 || took > 2*writeTimeout) {
					t.Errorf("it is given up after %v", took)
				}
				resp.Body.Close()
				transport.CloseIdleConnections()
				close(l)
				_ = srv.Close()
			})
		})
	}
}
