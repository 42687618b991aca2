package flight

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

// service is a Service of functions; an operation without one panics.
type service struct {
	Service
	send func(context.Context, stream.Sink) error
	open error
	list func(after string) ([]genesis.Asset, string, error)
}

func (s *service) Stream(context.Context, genesis.Principal, genesis.StreamRequest) (stream.Sender, error) {
	if s.open != nil {
		return nil, s.open
	}
	return &sender{s.send}, nil
}

func (s *service) List(_ context.Context, _ genesis.Principal, _ genesis.Kind, after string, _ int) ([]genesis.Asset, string, error) {
	return s.list(after)
}

type sender struct {
	send func(context.Context, stream.Sink) error
}

func (s *sender) Plan() genesis.StreamPlan                         { return genesis.StreamPlan{} }
func (s *sender) Send(ctx context.Context, sink stream.Sink) error { return s.send(ctx, sink) }
func (s *sender) Close()                                           {}

// world is a Server and who calls it.
type world struct {
	pb.FlightServiceClient
	conn   *grpc.ClientConn
	url    string
	inside atomic.Int32 // requests
	told   atomic.Int32
	cuts   chan bool
}

func serve(t *testing.T, s Service, opts ...grpc.DialOption) *world {
	t.Helper()
	w := &world{cuts: make(chan bool, 10)}
	f := New(Config{Service: s, Edge: Edge{
		Caller: func(context.Context) (genesis.Principal, bool) {
			return genesis.Principal{Subject: "ada", Node: "here"}, true
		},
		RequestID: func(context.Context) string { return "the-request" },
		Told:      func(_ context.Context, status int) { w.told.Store(int32(status)) },
		Cut:       func(_ context.Context, always bool) { w.cuts <- always },
	}})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.inside.Add(1)
		defer w.inside.Add(-1)
		f.ServeHTTP(rw, r)
	}))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	conn, err := grpc.NewClient("passthrough:///"+srv.Listener.Addr().String(), append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	w.FlightServiceClient, w.conn, w.url = pb.NewFlightServiceClient(conn), conn, srv.URL
	return w
}

var aTicket = &pb.Ticket{Ticket: []byte(`{"dataset":"things"}`)}

// fill writes a number all over a body.
func fill(b []byte, n int) []byte {
	for i := 0; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], uint64(n))
	}
	return b
}

// TestErrorsFit: whatever a request names, the reason why it is refused arrives; clients
// of gRPC take 8 KiB of it.
func TestErrorsFit(t *testing.T) {
	s := &service{}
	w := serve(t, s)
	for name, long := range map[string]string{"ascii": strings.Repeat("x", 900<<10), "others": strings.Repeat("\u00e4", 450<<10)} {
		s.open = &genesis.Error{Op: "stream", Kind: genesis.Permission, Subject: long, Msg: "is " + long, Hint: "do " + long}
		stream, err := w.DoGet(t.Context(), aTicket)
		if err == nil {
			_, err = stream.Recv()
		}
		size := 0
		for key, values := range stream.Trailer() {
			size += len(key) + len(values[0])*4/3
		}
		if size += 3 * len(status.Convert(err).Message()); status.Code(err) != codes.PermissionDenied || size < 500 || size > 8<<10 {
			t.Errorf("%s: %v, of up to %d bytes", name, status.Code(err), size)
		}
	}
}

// TestTicketsFit: many tickets that are long are not listed.
func TestTicketsFit(t *testing.T) {
	req, plan := genesis.StreamRequest{Dataset: "things", Columns: []string{"a"}}, &genesis.StreamPlan{Name: "things", Shards: maxEndpoints}
	if all, err := endpoints(req, plan); err != nil || len(all) != maxEndpoints {
		t.Errorf("%d, %v", len(all), err)
	}
	for i := range 5000 {
		req.Columns = append(req.Columns, fmt.Sprint("column-", i))
	}
	if all, err := endpoints(req, plan); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("%d, %v", len(all), err)
	}
	plan.Shards = 8
	if all, err := endpoints(req, plan); err != nil || len(all) != 8 {
		t.Errorf("%d, %v", len(all), err)
	}
}

// TestBodiesAreCounted: a sink says how much memory it may hold.
func TestBodiesAreCounted(t *testing.T) {
	s := newSink(t.Context(), nil)
	const n = 1 << 20
	held := 0
	for range maxBodies {
		held += cap(s.Body(n))
	}
	if most := s.Bodies() * n; held > most || s.another() != nil {
		t.Errorf("%d bytes are held, and %d said", held, most)
	}
}

// TestErrorsAsStatuses is the table that clients of gRPC are promised.
func TestErrorsAsStatuses(t *testing.T) {
	s := &service{}
	w := serve(t, s)
	for kind, want := range map[genesis.ErrorKind]codes.Code{
		genesis.Invalid: codes.InvalidArgument, genesis.NotFound: codes.NotFound, genesis.Private: codes.NotFound, genesis.Gone: codes.FailedPrecondition,
		genesis.Exists: codes.AlreadyExists, genesis.Permission: codes.PermissionDenied, genesis.Conflict: codes.Aborted, genesis.Unavailable: codes.Unavailable,
		genesis.Unsupported: codes.Unimplemented, genesis.Canceled: codes.Canceled, genesis.Internal: codes.Internal,
	} {
		s.open = fmt.Errorf("around: %w", &genesis.Error{Op: "stream", Kind: kind, Subject: "things", Msg: "said ä", Hint: "do this", Value: "a cell", Err: errors.New("a secret")})
		_, err := receive(w, t)
		text, told := status.Convert(err).Message(), int(w.told.Load())
		if status.Code(err) != want || told != kind.HTTPStatus() {
			t.Errorf("%s: %v, and %d in the log, want %v", kind, err, told, want)
		}
		if hidden := kind == genesis.Private || kind == genesis.NotFound; strings.Contains(text, "said ä\ndo this") == hidden || strings.Contains(text, "cell") || strings.Contains(text, "secret") {
			t.Errorf("%s reads %q", kind, text)
		}
	}
	s.open = errors.New("a secret")
	if _, err := receive(w, t); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Errorf("an error of no kind: %v", err)
	}
}

// receive reads a stream and returns the bodies.
func receive(w *world, t *testing.T) (bodies [][]byte, err error) {
	s, err := w.DoGet(t.Context(), aTicket)
	for err == nil {
		var d *pb.FlightData
		if d, err = s.Recv(); err == nil {
			bodies = append(bodies, d.DataBody)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return bodies, err
}

// TestPanicsAreErrors: of a method, and of what it calls.
func TestPanicsAreErrors(t *testing.T) {
	w := serve(t, &service{send: func(context.Context, stream.Sink) error { panic("oh") }})
	if _, err := receive(w, t); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "oh") {
		t.Errorf("a stream that panics: %v", err)
	}
	if _, err := w.GetSchema(t.Context(), &pb.FlightDescriptor{Type: pb.FlightDescriptor_CMD, Cmd: aTicket.Ticket}); status.Code(err) != codes.Internal {
		t.Errorf("a call that panics: %v", err)
	}
}

// TestBodiesArriveAsTheyWereFilled: a body is filled again only when it was sent, whatever
// its size, and however one is filled ahead.
func TestBodiesArriveAsTheyWereFilled(t *testing.T) {
	const n = 300
	size := func(k int) int { return 8 * (k * k % 9973) }
	w := serve(t, &service{send: func(_ context.Context, sink stream.Sink) error {
		if err := sink.Send(ipc.Message{Meta: []byte("schema")}); err != nil {
			return err
		}
		ahead := make(chan []byte)
		go func() {
			for k := range n {
				ahead <- fill(sink.Body(size(k)), k)
			}
			close(ahead)
		}()
		k := 0
		for body := range ahead {
			meta := []byte(fmt.Sprint("batch ", k))
			if err := sink.Send(ipc.Message{Meta: meta, Body: body}); err != nil {
				return err
			}
			clear(meta) // it is the caller's again
			k++
		}
		return nil
	}})
	bodies, err := receive(w, t)
	if err != nil || len(bodies) != n+1 {
		t.Fatalf("%d messages, %v", len(bodies), err)
	}
	for k, b := range bodies[1:] {
		if !bytes.Equal(b, fill(make([]byte, size(k)), k)) {
			t.Fatalf("body %d is not as it was filled: %.100x", k, b)
		}
	}
}

// TestSlowReadersHoldFewBodies: who does not read has no more of the node's memory
// than the bodies of one stream, and what sends to them goes on when they are gone.
func TestSlowReadersHoldFewBodies(t *testing.T) {
	var mu sync.Mutex
	given := map[*byte]bool{}
	sends, over := 0, make(chan error, 1)
	w := serve(t, &service{send: func(ctx context.Context, sink stream.Sink) (err error) {
		defer func() { over <- err }()
		for k := range 1000 {
			b := fill(sink.Body(1<<20), k)
			mu.Lock()
			given[&b[0]] = true
			sends++
			mu.Unlock()
			if err := sink.Send(ipc.Message{Meta: []byte("m"), Body: b}); err != nil {
				return err
			}
		}
		return nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	s, err := w.DoGet(ctx, aTicket)
	if err == nil {
		_, err = s.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	before := -1
	for now := 0; now != before; { // until it stands still
		before = now
		time.Sleep(200 * time.Millisecond)
		mu.Lock()
		now = sends
		mu.Unlock()
	}
	if before > 6 || len(given) > 3 {
		t.Errorf("%d bodies, of which %d different, for who does not read", before, len(given))
	}
	cancel()
	select {
	case err := <-over:
		if genesis.KindOf(err) != genesis.Canceled {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("what sends waits on")
	}
}

// TestCallsEndWithTheirMethods: a request whose client is gone is not over for the edge
// as long as its method runs.
func TestCallsEndWithTheirMethods(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	w := serve(t, &service{send: func(ctx context.Context, _ stream.Sink) error {
		close(entered)
		<-ctx.Done()
		<-release
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := w.DoGet(ctx, aTicket); err != nil {
		t.Fatal(err)
	}
	wait := func(want int32) {
		t.Helper()
		for began := time.Now(); w.inside.Load() != want; time.Sleep(time.Millisecond) {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("%d requests, want %d", w.inside.Load(), want)
			}
		}
	}
	// The edge counts a request before its method runs, and one that is cancelled
	// between the two never runs it.
	<-entered
	wait(1)
	cancel()
	time.Sleep(200 * time.Millisecond)
	wait(1)
	close(release)
	wait(0)
}

// TestAbort: no body goes out afterwards; a reader that reads learns why, and one that
// does not is cut off.
func TestAbort(t *testing.T) {
	refusal := &genesis.Error{Op: "read", Kind: genesis.Permission, Subject: "things", Msg: "takes a grant"}
	for _, reads := range []bool{true, false} {
		w := serve(t, &service{send: func(ctx context.Context, sink stream.Sink) error {
			go func() {
				time.Sleep(100 * time.Millisecond)
				sink.(interface{ Abort(error) }).Abort(refusal)
			}()
			for k := 0; ; k++ {
				if err := sink.Send(ipc.Message{Meta: []byte("m"), Body: fill(sink.Body(1<<20), k)}); err != nil {
					return err
				}
			}
		}})
		s, err := w.DoGet(t.Context(), aTicket)
		if err != nil {
			t.Fatal(err)
		}
		for reads && err == nil {
			_, err = s.Recv()
		}
		if reads && (status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "takes a grant")) {
			t.Errorf("who reads is told %v", err)
		}
		select {
		case always := <-w.cuts:
			if always == reads {
				t.Errorf("a reader that reads is %t, and the connection is cut always: %t", reads, always)
			}
		case <-time.After(10 * time.Second):
			t.Error("it is not cut")
		}
	}
}

// TestLongListsAreBounded: they end with an error, and not as if they were whole.
func TestLongListsAreBounded(t *testing.T) {
	asked := 0
	w := serve(t, &service{list: func(after string) ([]genesis.Asset, string, error) {
		asked++
		page := make([]genesis.Asset, page)
		for i := range page {
			page[i].Name = "things"
		}
		return page, "more", nil
	}})
	s, err := w.ListFlights(t.Context(), &pb.Criteria{})
	n := 0
	for ; err == nil; n++ {
		_, err = s.Recv()
	}
	if status.Code(err) != codes.Unimplemented || n != maxFlights+1 || asked != maxFlights/page {
		t.Errorf("%d flights after %d pages, %v", n-1, asked, err)
	}
}

// TestNotGRPC: HTTP/1.1, a browser, another type.
func TestNotGRPC(t *testing.T) {
	w := serve(t, &service{})
	resp, err := http.Post(w.url+Path+"DoGet", "application/grpc", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 415 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Error(resp.Status, resp.Header)
	}
}

// FuzzRequest reads tickets of strangers: what is taken is written as it is read.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{`{"dataset":"things"}`, `{"dataset":"a","seed":18446744073709551615,"columns":["x"],"mask":true}`, `{"dataset":"a"}{`, `[]`, "", "\x00", `{"dataset":1e9}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := parseRequest(b)
		if err != nil {
			if genesis.KindOf(err) != genesis.Invalid {
				t.Fatalf("%q: %v", b, err)
			}
			return
		}
		made, err := ticket(req)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseRequest(made.Ticket)
		if text, _ := ticket(again); err != nil || !bytes.Equal(text.Ticket, made.Ticket) {
			t.Errorf("%q is read as %s, and then as %+v, %v", b, made.Ticket, again, err)
		}
	})
}
