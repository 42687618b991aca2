package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Environment by which the bench runs itself as a server or a client.
const (
	flightServer = "GENESIS_BENCH_FLIGHT_SERVER" // URL of a stream whose rows it serves
	flightClient = "GENESIS_BENCH_FLIGHT_CLIENT" // address and, after a space, ticket
	httpClient   = "GENESIS_BENCH_HTTP_CLIENT"   // URL
	bearer       = "GENESIS_BENCH_TOKEN"
)

const streamRows, streamColumns = 4_000_000, 8

// asChild runs the part of a child process, if this is one.
func asChild() (bool, error) {
	switch {
	case os.Getenv(flightServer) != "":
		return true, serveFlight(os.Getenv(flightServer))
	case os.Getenv(flightClient) != "":
		return true, readFlight(os.Getenv(flightClient))
	case os.Getenv(httpClient) != "":
		return true, readHTTP(os.Getenv(httpClient))
	}
	return false, nil
}

// streams compares a governed, audited stream with a bare Flight DoGet.
func streams(c config, genesis string) (string, error) {
	node, err := startNode(c, genesis)
	if err != nil {
		return "", err
	}
	defer node.stop()
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if err := os.Setenv(bearer, node.token); err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(&out, streamsHeading, streamRows, streamColumns, c.pairs)
	for _, batch := range []int{1024, 8192} {
		url := func(mode string) string {
			return fmt.Sprintf("%s/v1/datasets/rows/stream?batch=%d&mode=%s&seed=7", node.url, batch, mode)
		}
		bare, addr, err := c.child(self, flightServer+"="+url("sequential"))
		if err != nil {
			return "", err
		}
		for _, mode := range []string{"sequential", "block", "full"} {
			ticket := fmt.Sprintf(`{"dataset":"rows","batch":%d,"mode":%q,"seed":7}`, batch, mode)
			for _, over := range []struct{ name, env string }{
				{"HTTP", httpClient + "=" + url(mode)},
				{"Flight", flightClient + "=" + strings.TrimPrefix(node.url, "http://") + " " + ticket},
			} {
				var ours, peer outcome
				cmp, err := c.compare(fmt.Sprintf("stream over %s, %s, batches of %d", over.name, mode, batch),
					func() (usage, error) { return c.timed(&ours, over.env, self) },
					func() (usage, error) { return c.timed(&peer, flightClient+"="+addr, self) })
				if err != nil {
					return "", err
				}
				rate := func(u usage) float64 { return streamRows / u.wall.Seconds() }
				fmt.Fprintf(&out, "| %s, %s | %d | %s | %.1f M | %.1f M |\n", over.name, mode, batch, cmp.ratio(rate), median(cmp.a, rate)/1e6, median(cmp.b, rate)/1e6)
			}
		}
		_ = bare.Process.Kill()
		_ = bare.Wait()
	}
	return out.String() + "\n", nil
}

const streamsHeading = `## streams

Rows a second of a governed, audited stream of %d rows of %d float64 columns, the cache warm, over HTTP and
over Arrow Flight with a token, beside a bare DoGet of arrow-go v18.8.0 that sends the same rows from memory, unshuffled and unasked. Both are
read by arrow-go's reader; servers and clients are pinned to the same cores. Above 1 means that Genesis is faster. %d pairs.

| stream | rows of a batch | genesis / peer | genesis, median | peer, median |
|---|---|---|---|---|
`

// node is a running genesis serve with the rows.
type node struct {
	cmd        *exec.Cmd
	url, token string
}

func (n *node) stop() {
	_ = n.cmd.Process.Signal(os.Interrupt)
	_ = n.cmd.Wait()
}

// startNode prepares the rows and serves them to somebody with a token.
func startNode(c config, genesis string) (*node, error) {
	home, csv := filepath.Join(c.dir, "home"), filepath.Join(c.dir, "rows.csv")
	if err := writeRows(csv); err != nil {
		return nil, err
	}
	run := commands(genesis, home)
	if _, err := run("prepare", csv, "--name", "rows"); err != nil {
		return nil, err
	}
	if _, err := run("publish", "rows", "--tier", "registered"); err != nil {
		return nil, err
	}
	token, err := newToken(run)
	if err != nil {
		return nil, err
	}
	return c.serve(genesis, home, token)
}

// commands returns what runs commands of the program on a home.
func commands(genesis, home string) func(args ...string) ([]byte, error) {
	return func(args ...string) ([]byte, error) {
		cmd := exec.Command(genesis, append([]string{"--home", home}, args...)...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("genesis %v: %v\n%s", args, err, errs.String())
		}
		return out, nil
	}
}

// newToken adds an account and returns a token of it.
func newToken(run func(args ...string) ([]byte, error)) (string, error) {
	if _, err := run("account", "add", "ada", "--service"); err != nil {
		return "", err
	}
	text, err := run("--json", "token", "create", "bench", "--subject", "ada")
	if err != nil {
		return "", err
	}
	var made struct{ Secret string }
	err = json.Unmarshal(text, &made)
	return made.Secret, err
}

// serve starts a node that serves a home, and waits until it answers.
func (c config) serve(genesis, home, token string) (*node, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	n := &node{url: "http://" + addr, token: token}
	n.cmd = exec.Command("taskset", "-c", c.cores, genesis, "--home", home, "serve", "--listen", addr)
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		if resp, err := http.Get(n.url + "/readyz"); err == nil {
			resp.Body.Close()
			return n, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	n.stop()
	return nil, fmt.Errorf("genesis serve does not answer")
}

func writeRows(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	var line []byte
	for k := range streamColumns {
		line = fmt.Appendf(line, "x%d,", k)
	}
	line[len(line)-1] = '\n'
	for range streamRows {
		for range streamColumns {
			line = fmt.Appendf(line, "%.4f,", rng.NormFloat64())
		}
		line[len(line)-1] = '\n'
		if len(line) > 1<<20 {
			if _, err := f.Write(line); err != nil {
				return err
			}
			line = line[:0]
		}
	}
	_, err = f.Write(line)
	return err
}

// child starts this program as a server and returns what it says first.
func (c config) child(self string, env ...string) (*exec.Cmd, string, error) {
	cmd := exec.Command("taskset", "-c", c.cores, self)
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	var said string
	_, err = fmt.Fscanln(pipe, &said)
	return cmd, said, err
}

// get opens a stream of the node.
func get(url string) (*http.Response, error) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv(bearer))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("%s: %s", resp.Status, text)
	}
	return resp, nil
}

// readHTTP reads a stream and says how long it took.
func readHTTP(url string) error {
	start := time.Now()
	resp, err := get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	r, err := ipc.NewReader(resp.Body)
	if err != nil {
		return err
	}
	defer r.Release()
	return count(start, r.Next, r.RecordBatch, r.Err)
}

// readFlight reads what a server has: the bare one, or a node for a ticket.
func readFlight(from string) error {
	addr, ticket, _ := strings.Cut(from, " ")
	start := time.Now()
	client, err := flight.NewClientWithMiddleware(addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx := context.Background()
	if ticket != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Getenv(bearer))
	}
	s, err := client.DoGet(ctx, &flight.Ticket{Ticket: []byte(ticket)})
	if err != nil {
		return err
	}
	r, err := flight.NewRecordReader(s)
	if err != nil {
		return err
	}
	defer r.Release()
	return count(start, r.Next, r.RecordBatch, r.Err)
}

// count reads everything and says how long it took.
func count(start time.Time, next func() bool, batch func() arrow.RecordBatch, failed func() error) error {
	rows := int64(0)
	for next() {
		rows += batch().NumRows()
	}
	if err := failed(); err != nil && err != io.EOF {
		return err
	}
	if rows != streamRows {
		return fmt.Errorf("%d rows came", rows)
	}
	return json.NewEncoder(os.Stdout).Encode(outcome{Seconds: time.Since(start).Seconds()})
}

// bareFlight sends batches from memory to whoever asks.
type bareFlight struct {
	flight.BaseFlightServer
	schema  *arrow.Schema
	batches []arrow.RecordBatch
}

func (b *bareFlight) DoGet(_ *flight.Ticket, s flight.FlightService_DoGetServer) error {
	w := flight.NewRecordWriter(s, ipc.WithSchema(b.schema))
	defer w.Close()
	for _, batch := range b.batches {
		if err := w.Write(batch); err != nil {
			return err
		}
	}
	return nil
}

// serveFlight serves the rows of a stream, and says where.
func serveFlight(url string) error {
	resp, err := get(url)
	if err != nil {
		return err
	}
	r, err := ipc.NewReader(resp.Body)
	if err != nil {
		return err
	}
	b := &bareFlight{schema: r.Schema()}
	for r.Next() {
		batch := r.RecordBatch()
		batch.Retain()
		b.batches = append(b.batches, batch)
	}
	if err := r.Err(); err != nil && err != io.EOF {
		return err
	}
	resp.Body.Close()
	s := flight.NewServerWithMiddleware(nil)
	if err := s.Init("127.0.0.1:0"); err != nil {
		return err
	}
	s.RegisterFlightService(b)
	fmt.Println(s.Addr().String())
	return s.Serve()
}
