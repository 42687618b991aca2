//go:build linux || darwin

package node

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/store"
)

// guarded is a stub with a database, behind a token.
type guarded struct {
	*stub
	db    *store.DB
	ready error
}

func (g *guarded) DB() *store.DB { return g.db }
func (g *guarded) Close() error  { return g.db.Close() }

func (g *guarded) Authenticate(r *http.Request) (genesis.Principal, error) {
	switch r.Header.Get("Authorization") {
	case "":
		return genesis.Principal{}, nil
	case "Bearer secret":
		return genesis.Principal{Subject: "ada", Node: "local", Duties: []genesis.Duty{genesis.DutySteward}}, nil
	}
	return genesis.Principal{}, &genesis.Error{Op: "sign in", Kind: genesis.Permission, Msg: "the token does not hold"}
}

func (g *guarded) MayNameFile(_ context.Context, who genesis.Principal, path string) error {
	if who.Has(genesis.DutySteward) {
		return nil
	}
	return &genesis.Error{Op: "open file", Kind: genesis.Permission, Subject: path, Msg: "not for you"}
}

func (g *guarded) Checks() []edge.Check {
	return []edge.Check{{Name: "journal", Do: func(context.Context) error { return g.ready }}}
}

// served is a node that listens on the network.
type served struct {
	*Node
	url  string
	home *Home
	stub *stub
	stop func()
	done chan error
}

func serve(t *testing.T, config string, opt Options) *served {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yaml"), "serve: {listen: '127.0.0.1:0'}\n"+config)
	h := mustHome(t, dir)
	s := &served{home: h, stub: newStub(), done: make(chan error, 1)}
	opt.Network = true
	opt.Open = func(ctx context.Context, h *Home) (Service, error) {
		db, err := store.Open(ctx, h.Catalog())
		return &guarded{stub: s.stub, db: db}, err
	}
	var err error
	if s.Node, err = Start(t.Context(), h, opt); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	url := make(chan string, 1)
	go func() { s.done <- s.Node.Serve(ctx, func(u string) { url <- u }) }()
	select {
	case s.url = <-url:
	case err := <-s.done:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		select {
		case <-s.done:
		case <-time.After(10 * time.Second):
			t.Error("the node does not stop")
		}
	})
	return s
}

// ended waits for the node and returns its error.
func (s *served) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.done:
		s.done <- nil
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the node does not stop")
		return nil
	}
}

func status(t *testing.T, c *http.Client, url string) int {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestServe(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "raw.csv"), "from the node's disk")
	s := serve(t, "paths: ["+root+"]\n", Options{})
	if pid, url := s.home.Server(); pid != os.Getpid() || url != s.url {
		t.Errorf("the lock says %d, %s", pid, url)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/v1/node": 200, "/docs": 200, "/openapi.json": 200, "/metrics": 404, "/x": 404} {
		if got := status(t, http.DefaultClient, s.url+path); got != want {
			t.Errorf("%s: %d", path, got)
		}
	}
	local := dial(t, s.home)
	if info, err := local.Node(t.Context()); err != nil || info.Home != s.home.Path {
		t.Errorf("on the socket: %+v, %v", info, err)
	}
	remote := client.New(s.url, nil)
	if info, err := remote.Node(t.Context()); err != nil || info.Home != "" {
		t.Errorf("on the network: %+v, %v", info, err)
	}
	if _, err := remote.WithToken("wrong").Node(t.Context()); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("a wrong token: %v", err)
	}
	remote = remote.WithToken("secret")
	u, err := remote.Upload(t.Context(), strings.NewReader("over the network"), 16, "x.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	files := []genesis.FileRef{u.Ref(), {Path: "raw.csv", Token: genesis.PathToken + filepath.Join(root, "raw.csv")}}
	got, err := remote.Inspect(t.Context(), genesis.InspectRequest{Files: files}, nil)
	if err != nil || len(got.Sources) != 2 || got.Sources[0].Preamble != "over the network" || got.Sources[1].Preamble != "from the node's disk" {
		t.Errorf("%+v, %v", got, err)
	}
	// A descriptor is of this machine's sessions alone.
	if _, err := remote.Inspect(t.Context(), genesis.InspectRequest{Files: []genesis.FileRef{handOver(t, local, "x")}}, nil); err == nil {
		t.Error("a descriptor was taken from the network")
	}
	local.Close()
	s.stop()
	if err := s.ended(t); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(s.url + "/healthz"); err == nil {
		t.Error("it listens on")
	}
	start(t, s.home, newStub()) // the home is free
}

// TestDrain: nothing new is let in, what runs ends, and what does not end is cut.
func TestDrain(t *testing.T) {
	s := serve(t, "", Options{})
	s.Node.home.Config.Serve.Drain = 300 * time.Millisecond
	failed := make(chan error, 1)
	go func() {
		_, err := client.New(s.url, nil).WithToken("secret").Train(context.Background(), genesis.TrainRequest{Dataset: "x", Name: "y", Target: []string{"z"}}, nil)
		failed <- err
	}()
	soon(t, "the work's start", s.stub.working)
	s.stop()
	var body []byte
	for range 1000 {
		resp, err := http.Get(s.url + "/readyz")
		if err != nil {
			t.Fatal("the node does not say that it drains")
		}
		body, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == 503 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !bytes.Contains(body, []byte(`"draining","ok":false`)) {
		t.Errorf("readyz: %s", body)
	}
	if got := status(t, http.DefaultClient, s.url+"/v1/node"); got != 503 {
		t.Errorf("a new request: %d", got)
	}
	dir, _ := s.home.Sockets()
	if c, err := client.Dial(t.Context(), dir); err == nil {
		c.Close()
		t.Error("a new session is taken in")
	}
	if err := <-failed; genesis.KindOf(err) != genesis.Unavailable && genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("what was cut: %v", err)
	}
	soon(t, "the work's end", s.stub.stopped)
	if err := s.ended(t); err != nil {
		t.Error(err)
	}
}

// keyPair writes a certificate for 127.0.0.1 with a serial number.
func keyPair(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	return cert, key
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := keyPair(t, dir, 1)
	h := mustHome(t, t.TempDir())
	h.Config.Serve.Listen, h.Config.Serve.TLS = "127.0.0.1:0", TLSConfig{cert, key}
	n := start(t, h, newStub())
	ctx, cancel := context.WithCancel(t.Context())
	url, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- n.Serve(ctx, func(u string) { url <- u }) }()
	at := <-url
	defer func() { cancel(); <-done }()
	if !strings.HasPrefix(at, "https://127.0.0.1:") {
		t.Fatalf("it listens at %s", at)
	}
	serial := func() int64 {
		t.Helper()
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
		resp, err := c.Get(at + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" || resp.TLS.Version < tls.VersionTLS12 {
			t.Errorf("%s, TLS %x, %v", resp.Proto, resp.TLS.Version, resp.Header)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d", got)
	}
	keyPair(t, dir, 2)
	n.certs.mu.Lock()
	n.certs.looked = time.Time{} // some seconds later
	n.certs.mu.Unlock()
	if got := serial(); got != 2 {
		t.Errorf("after renewal: serial %d", got)
	}
	write(t, cert, "half a file")
	n.certs.reload()
	if got := serial(); got != 2 {
		t.Errorf("a broken file took over: serial %d", got)
	}
	keyPair(t, dir, 3)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if serial() == 3 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("SIGHUP does not reload")
}

// TestTLSRefusesOld: no version before 1.2 and no weak suite is agreed on, TLS 1.3 is
// where a client has it, and who speaks plain HTTP is told so, not sent elsewhere.
func TestTLSRefusesOld(t *testing.T) {
	cert, key := keyPair(t, t.TempDir(), 1)
	h := mustHome(t, t.TempDir())
	h.Config.Serve.Listen, h.Config.Serve.TLS = "127.0.0.1:0", TLSConfig{cert, key}
	n := start(t, h, newStub())
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- n.Serve(ctx, func(u string) { ready <- u }) }()
	addr := strings.TrimPrefix(<-ready, "https://")
	defer func() { cancel(); <-done }()

	agree := func(c *tls.Config) (uint16, error) {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", addr, c)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		return conn.ConnectionState().Version, nil
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if _, err := agree(&tls.Config{MinVersion: version, MaxVersion: version}); err == nil {
			t.Errorf("%s is agreed on", tls.VersionName(version))
		}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if got, err := agree(&tls.Config{MaxVersion: version}); err != nil || got != version {
			t.Errorf("%s: %s, %v", tls.VersionName(version), tls.VersionName(got), err)
		}
	}
	for _, suite := range tls.InsecureCipherSuites() {
		if _, err := agree(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}); err == nil {
			t.Errorf("%s is agreed on", suite.Name)
		}
	}
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := plain.Get("http://" + addr + "/v1/node")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 || resp.Header.Get("Location") != "" {
		t.Errorf("plain HTTP: %s, %v", resp.Status, resp.Header)
	}
}

func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		change func(*Config)
		kind   genesis.ErrorKind
		says   string
	}{
		"address in use":  {func(c *Config) { c.Serve.Listen = taken.Addr().String() }, genesis.Unavailable, "in use"},
		"no such address": {func(c *Config) { c.Serve.Listen = "192.0.2.1:1" }, genesis.Unavailable, "cannot be listened on"},
		"metrics in use":  {func(c *Config) { c.Telemetry.Metrics.Listen = taken.Addr().String() }, genesis.Unavailable, "in use"},
		"no certificate":  {func(c *Config) { c.Serve.TLS = TLSConfig{"/nowhere", "/nowhere"} }, genesis.Invalid, "no such file"},
	} {
		h := mustHome(t, t.TempDir())
		h.Config.Serve.Listen = "127.0.0.1:0"
		c.change(&h.Config)
		n, err := Start(t.Context(), h, Options{Open: func(context.Context, *Home) (Service, error) { return newStub(), nil }})
		if err != nil {
			t.Fatal(err)
		}
		err = n.Serve(t.Context(), func(string) { t.Errorf("%s: it listens", name) })
		if genesis.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		start(t, h, newStub()) // the home is given back
	}
}

func TestMetricsListener(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	s := serve(t, "telemetry: {metrics: {listen: '"+addr+"'}}\n", Options{})
	status(t, http.DefaultClient, s.url+"/v1/node")
	resp, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), `genesis_http_requests_total{class="2xx",method="GET",route="/v1/node"} 1`) {
		t.Errorf("%s", b)
	}
	if got := status(t, http.DefaultClient, "http://"+addr+"/v1/node"); got != 404 {
		t.Errorf("the metrics' address serves more: %d", got)
	}
}

// TestHeaderLimits: what the server itself refuses, before the edge.
func TestHeaderLimits(t *testing.T) {
	s := serve(t, "", Options{})
	req, _ := http.NewRequest("GET", s.url+"/v1/node", nil)
	req.Header.Set("X-Long", strings.Repeat("x", 2*maxHeader))
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		if resp.StatusCode != 431 {
			t.Errorf("%s", resp.Status)
		}
	}
}

// TestMessageBoundaries: where a request ends is not for two to read differently. What
// says its length twice, or in a way of its own, is refused with its connection; beside
// chunks a length does not count.
func TestMessageBoundaries(t *testing.T) {
	s := serve(t, "", Options{})
	post := func(header, body string) string {
		return "POST /v1/inspect HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + header + "\r\n" + body
	}
	get := "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
	const second = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, c := range map[string]struct {
		sent string
		want []int // what is answered to the first, and to the one after it
	}{
		"length":               {post("Content-Length: 2\r\n", "{}") + second, []int{422, 404}},
		"chunks":               {post("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n") + second, []int{422, 404}},
		"both":                 {post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") + second, []int{400, 404}},
		"two lengths":          {post("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"+second), []int{400}},
		"list of lengths":      {post("Content-Length: 2, 3\r\n", "{}"+second), []int{400}},
		"signed length":        {post("Content-Length: +2\r\n", "{}"+second), []int{400}},
		"negative length":      {post("Content-Length: -2\r\n", "{}"+second), []int{400}},
		"other coding":         {post("Transfer-Encoding: xchunked\r\n", "{}"+second), []int{501}},
		"two codings":          {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"+second), []int{501}},
		"space before colon":   {post("Content-Length : 2\r\n", "{}"+second), []int{400}},
		"folded line":          {post("X-A: b\r\n Content-Length: 2\r\n", "{}"+second), []int{400, 400}}, // of X-A: there is no body
		"reading with a body":  {get + "Content-Length: 50\r\n\r\n" + second, []int{400}},
		"reading with chunks":  {get + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second, []int{400}},
		"chunk of wrong size":  {post("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"+second), []int{400}},
		"no end of the header": {strings.Replace(get, "\r\nHost", "\rHost", 1) + "\r\n" + second, []int{400}},
	} {
		if got := answers(t, s.url, c.sent); !slices.Equal(got, c.want) {
			t.Errorf("%s: answered with %v, want %v", name, got, c.want)
		}
	}
}

// answers sends bytes over a connection and returns the statuses that come back.
func answers(t *testing.T, url, sent string) []int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, sent); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	var got []int
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return got
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		got = append(got, resp.StatusCode)
	}
}

// TestReadyzAsksTheService is the way in which the journal will say that it
// cannot be written.
func TestReadyzAsksTheService(t *testing.T) {
	s := serve(t, "", Options{})
	s.Node.service.(*guarded).ready = io.ErrShortWrite
	if got := status(t, http.DefaultClient, s.url+"/readyz"); got != 503 {
		t.Errorf("%d", got)
	}
}

// TestSecret: a key of the home is made once, for its owner alone, and one that is
// damaged is never replaced behind their back.
func TestSecret(t *testing.T) {
	h := mustHome(t, t.TempDir())
	first, err := h.secret("cursor.key")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := edge.NewCursors(first).Seal("list", "position")
	second, err := h.secret("cursor.key")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if edge.NewCursors(second).Open("list", text, &got) != nil || got != "position" {
		t.Error("a restart makes cursors worthless")
	}
	if other, err := h.secret("identity.key"); err != nil || bytes.Equal(first, other) {
		t.Errorf("two keys are one: %v", err)
	}
	path := filepath.Join(h.Keys(), "cursor.key")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	write(t, path, "short")
	if _, err := h.secret("cursor.key"); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("%v", err)
	}
}

func TestListenOn(t *testing.T) {
	c := defaults()
	for addr, kind := range map[string]genesis.ErrorKind{"": "", "127.0.0.1:1": "", "[::1]:1": "", "0.0.0.0:1": genesis.Invalid, "x": genesis.Invalid, "example.org:1": genesis.Invalid} {
		if err := c.ListenOn(addr); genesis.KindOf(err) != kind {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
