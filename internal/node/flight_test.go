//go:build linux || darwin

package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	rpc "google.golang.org/grpc/status"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

// flyer calls a node's Arrow Flight.
type flyer struct {
	pb.FlightServiceClient
	*town
	conn *grpc.ClientConn
}

// fly dials a URL that reach gave.
func (w *town) fly(at string, opts ...grpc.DialOption) *flyer {
	w.Helper()
	u, err := url.Parse(at)
	if err != nil {
		w.Fatal(err)
	}
	creds := insecure.NewCredentials()
	if u.Scheme == "https" {
		creds = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	}
	return w.dial("passthrough:///"+u.Host, append(opts, grpc.WithTransportCredentials(creds))...)
}

func (w *town) dial(target string, opts ...grpc.DialOption) *flyer {
	w.Helper()
	conn, err := grpc.NewClient(target, append(opts, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))...)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { conn.Close() })
	return &flyer{pb.NewFlightServiceClient(conn), w, conn}
}

// as is the context of calls of somebody.
func (w *town) as(who string, more ...string) context.Context {
	pairs := more
	if token := w.token[who]; token != "" {
		pairs = append(pairs, "authorization", "Bearer "+token)
	}
	return metadata.NewOutgoingContext(w.Context(), metadata.Pairs(pairs...))
}

func ticketOf(req any) *pb.Ticket {
	b, _ := json.Marshal(req)
	return &pb.Ticket{Ticket: b}
}

func command(req genesis.StreamRequest) *pb.FlightDescriptor {
	return &pb.FlightDescriptor{Type: pb.FlightDescriptor_CMD, Cmd: ticketOf(req).Ticket}
}

// get reads a whole stream, as it goes over HTTP, and what its batches say of themselves.
func (f *flyer) get(ctx context.Context, t *pb.Ticket) (text []byte, said []string, err error) {
	s, err := f.DoGet(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	for {
		d, err := s.Recv()
		if err == io.EOF {
			return append(text, ipc.End...), said, nil
		}
		if err != nil {
			return text, said, err
		}
		text = append(ipc.Message{Meta: d.DataHeader}.AppendPrefix(text), d.DataBody...)
		if d.AppMetadata != nil {
			said = append(said, string(d.AppMetadata))
		}
	}
}

// listed are the names that somebody is told.
func (f *flyer) listed(ctx context.Context, text string) (names []string, err error) {
	s, err := f.ListFlights(ctx, &pb.Criteria{Expression: []byte(text)})
	if err != nil {
		return nil, err
	}
	for {
		info, err := s.Recv()
		if err == io.EOF {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, info.FlightDescriptor.Path[0])
	}
}

func (f *flyer) act(ctx context.Context, kind string, body []byte) ([]byte, error) {
	s, err := f.DoAction(ctx, &pb.Action{Type: kind, Body: body})
	if err != nil {
		return nil, err
	}
	r, err := s.Recv()
	if err != nil {
		return nil, err
	}
	_, err = s.Recv()
	if err == io.EOF {
		err = nil
	}
	return r.GetBody(), err
}

// codeOfStatus is what a cell of the matrix means over gRPC.
var codeOfStatus = map[string]codes.Code{"200": codes.OK, "401": codes.Unauthenticated, "403": codes.PermissionDenied, "404": codes.NotFound, "410": codes.FailedPrecondition, "422": codes.InvalidArgument}

// matrixCells are the answers over HTTP, by operation, tier and principal.
func matrixCells(t *testing.T) map[[3]string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/matrix.txt")
	if err != nil {
		t.Fatal(err)
	}
	cells := map[[3]string]string{}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		for i, who := range kinds {
			if len(f) == 2+len(kinds) && f[0] != "#" {
				cells[[3]string{f[0], f[1], who}] = f[2+i]
			}
		}
	}
	return cells
}

// TestFlightMatrix: whoever asks, of whatever tier, Flight answers as HTTP does.
func TestFlightMatrix(t *testing.T) {
	w := newTown(t)
	f := w.fly(w.reach(false))
	cells := matrixCells(t)
	if len(cells) < 500 {
		t.Fatalf("%d cells", len(cells))
	}
	for _, tier := range townTiers {
		name := w.build(tier)
		path := &pb.FlightDescriptor{Type: pb.FlightDescriptor_PATH, Path: []string{name}}
		req := genesis.StreamRequest{Dataset: name}
		for _, who := range kinds {
			for call, do := range map[[2]string]func(context.Context) error{
				{"DoGet", "stream"}:              func(ctx context.Context) error { _, _, err := f.get(ctx, ticketOf(req)); return err },
				{"GetFlightInfo", "stream-plan"}: func(ctx context.Context) error { _, err := f.GetFlightInfo(ctx, path); return err },
				{"GetSchema", "stream-plan"}:     func(ctx context.Context) error { _, err := f.GetSchema(ctx, command(req)); return err },
				{"DoAction", "stream-warm"}:      func(ctx context.Context) error { _, err := f.act(ctx, "warm", ticketOf(req).Ticket); return err },
			} {
				http := cells[[3]string{call[1], tier, who}]
				want, known := codeOfStatus[http]
				if err := do(w.as(who)); rpc.Code(err) != want || !known {
					t.Errorf("%s of %s by %s: %v, over HTTP %s", call[0], tier, who, err, http)
				}
			}
			names, err := f.listed(w.as(who), "")
			if who == "forged" {
				if rpc.Code(err) != codes.Unauthenticated {
					t.Errorf("the list for a forged token: %v", err)
				}
				continue
			}
			_, body := w.call(who, "GET", "/v1/assets?kind=dataset&limit=1000", "")
			var page genesis.ListPage
			if json.Unmarshal(body, &page) != nil || err != nil {
				t.Fatal(string(body), err)
			}
			var want []string
			for _, a := range page.Assets {
				want = append(want, string(a.Name))
			}
			if !slices.Equal(names, want) {
				t.Errorf("%s is told %v, over HTTP %v", who, names, want)
			}
		}
	}
}

// TestFlightRefusalsSayWhy: message, hint, kind; what is private reads exactly as what is
// not there.
func TestFlightRefusalsSayWhy(t *testing.T) {
	w := newTown(t)
	f := w.fly(w.reach(false))
	name := w.build("restricted")
	_, _, err := f.get(w.as("ada"), ticketOf(genesis.StreamRequest{Dataset: name}))
	_, _, none := f.get(w.as("ada"), ticketOf(genesis.StreamRequest{Dataset: "nothing"}))
	if rpc.Code(err) != codes.NotFound || strings.ReplaceAll(rpc.Convert(err).Message(), name, "nothing") != rpc.Convert(none).Message() {
		t.Errorf("what is private reads %v, what is not there %v", err, none)
	}
	if info := infoOf(err); info == nil || info.Reason != infoOf(none).Reason || info.Reason != "NOT_FOUND" || info.Metadata["request"] == "" {
		t.Errorf("details are %v and %v", info, infoOf(none))
	}
	controlled := w.build("controlled")
	_, _, err = f.get(w.as("ada"), ticketOf(genesis.StreamRequest{Dataset: controlled}))
	first, second, _ := strings.Cut(rpc.Convert(err).Message(), "\n")
	if info := infoOf(err); !strings.Contains(first, "takes a grant") || second == "" || info == nil || info.Reason != "PERMISSION" || info.Metadata["hint"] != second {
		t.Errorf("a refusal reads %q, then %q, %v", first, second, infoOf(err))
	}
	w.token["stale"] = "gen_p_stale"
	_, err = f.listed(w.as("stale"), "")
	if rpc.Code(err) != codes.Unauthenticated || !strings.Contains(rpc.Convert(err).Message(), "\n") {
		t.Errorf("a wrong token: %v", err)
	}
}

func infoOf(err error) *errdetails.ErrorInfo {
	for _, d := range rpc.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

// mixed is a table with columns of several kinds and a split.
func mixed(rows int) string {
	var b strings.Builder
	b.WriteString("id,speed,site,ok,note,power\n")
	for i := range rows {
		note := fmt.Sprintf("note %d of %s", i, strings.Repeat("x", i%17))
		if i%11 == 0 {
			note = ""
		}
		fmt.Fprintf(&b, "r%06d,%d.25,%s,%t,%s,%d\n", i, i*7919%1000, []string{"north", "south", "east"}[i%3], i%2 == 0, note, i%97)
	}
	return b.String()
}

// TestFlightSendsWhatHTTPSends: the same messages, byte by byte, whatever is asked for.
func TestFlightSendsWhatHTTPSends(t *testing.T) {
	w := newTown(t)
	w.prepare("things", mixed(5000))
	w.must(w.works.Publish(t.Context(), w.local, "things", genesis.PublishRequest{Tier: genesis.TierPublic}))
	f := w.fly(w.reach(false))
	for query, req := range map[string]genesis.StreamRequest{
		"":                              {},
		"mode=full&seed=7&batch=100":    {Mode: genesis.Full, Seed: 7, Batch: 100},
		"mode=block&block=64&epoch=3":   {Mode: genesis.Block, Block: 64, Epoch: 3},
		"as=dictionary&columns=site":    {As: genesis.AsDictionary, Columns: []string{"site"}},
		"filter=power>90&batch=10":      {Filter: "power>90", Batch: 10},
		"filter=power>1000":             {Filter: "power>1000"},
		"position=4990&batch=3":         {Position: 4990, Batch: 3},
		"position=5000":                 {Position: 5000},
		"shard=1&shards=3&batch=64":     {Shard: 1, Shards: 3, Batch: 64},
		"seed=18446744073709551615":     {Seed: 1<<64 - 1},
		"columns=note&columns=ok":       {Columns: []string{"note", "ok"}},
		"mode=full&as=dictionary":       {Mode: genesis.Full, As: genesis.AsDictionary},
		"columns=ok&mode=full&batch=1":  {Columns: []string{"ok"}, Mode: genesis.Full, Batch: 1},
		"mode=full&batch=5000&seed=102": {Mode: genesis.Full, Batch: 5000, Seed: 102},
	} {
		req.Dataset = "things"
		if _, err := f.act(w.as("ada"), "warm", ticketOf(req).Ticket); err != nil {
			t.Fatal(query, err)
		}
		_, want := w.call("ada", "GET", "/v1/datasets/things/stream?"+strings.ReplaceAll(query, ">", "%3E"), "")
		got, said, err := f.get(w.as("ada"), ticketOf(req))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %d bytes, over HTTP %d; %v", query, len(got), len(want), err)
		}
		if req.Position == 4990 && !slices.Equal(said, []string{`{"position":4990,"next":4993}`, `{"position":4993,"next":4996}`, `{"position":4996,"next":4999}`, `{"position":4999,"next":5000}`}) {
			t.Errorf("batches say %v", said)
		}
	}
	page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Act: "read", Subject: "things", Outcome: genesis.Allowed})
	if err != nil || len(page.Entries) == 0 || page.Entries[0].Actor != "here/ada" && !strings.Contains(string(page.Entries[0].Actor), "ada") {
		t.Errorf("the log says %+v, %v", page, err)
	}
}

// TestFlightInfo: what is told of a stream, and that its tickets give its parts, each
// once, even when a new version came meanwhile.
func TestFlightInfo(t *testing.T) {
	w := newTown(t)
	w.prepare("things", mixed(1000))
	w.must(w.works.Publish(t.Context(), w.local, "things", genesis.PublishRequest{Tier: genesis.TierPublic}))
	f := w.fly(w.reach(false))
	ctx := w.as("ada")
	info, err := f.GetFlightInfo(ctx, command(genesis.StreamRequest{Dataset: "things", Filter: "power > 3", As: genesis.AsDictionary}))
	if err != nil || info.TotalRecords != -1 || info.Schema != nil || !info.Ordered {
		t.Error("of what is not cached and filtered:", info, err)
	}
	info, err = f.GetFlightInfo(ctx, command(genesis.StreamRequest{Dataset: "things", Mode: genesis.Full, Shards: 3, Batch: 64, Position: 8}))
	if err != nil || len(info.Endpoint) != 3 || info.TotalRecords != 992 || info.Ordered || len(info.Schema) == 0 {
		t.Fatal(info, err)
	}
	var plan genesis.StreamPlan
	if err := json.Unmarshal(info.AppMetadata, &plan); err != nil || plan.Rows != 1000 || plan.Key == "" {
		t.Errorf("%+v, %v", plan, err)
	}
	w.prepare("things", mixed(10))
	w.must(w.works.Publish(t.Context(), w.local, "things", genesis.PublishRequest{}))
	var all []string
	for _, e := range info.Endpoint {
		text, said, err := f.get(ctx, e.Ticket)
		if err != nil || !bytes.HasPrefix(text, info.Schema[:8]) {
			t.Fatal(err)
		}
		all = append(all, said...)
	}
	if want := (1000 - 8 + 63) / 64; len(all) != want || len(slices.Compact(slices.Sorted(slices.Values(all)))) != want {
		t.Errorf("%d batches, want %d: %v", len(all), want, all)
	}
	schema, err := f.GetSchema(ctx, &pb.FlightDescriptor{Type: pb.FlightDescriptor_PATH, Path: []string{"things@1", plan.Table}})
	if err != nil || len(schema.Schema) == 0 {
		t.Error(err)
	}
	if schema, err = f.GetSchema(ctx, command(genesis.StreamRequest{Dataset: "things@1", As: genesis.AsDictionary})); err != nil || len(schema.Schema) == 0 {
		t.Error("a schema that waits for the cache:", err)
	}
	for text, want := range map[string][]string{"things": {"things"}, "absent": nil} {
		if names, err := f.listed(ctx, text); err != nil || !slices.Equal(names, want) {
			t.Errorf("%q finds %v, %v", text, names, err)
		}
	}
}

// TestFlightRefuses: what cannot be asked for, each with its code.
func TestFlightRefuses(t *testing.T) {
	w := newTown(t)
	w.prepare("things", mixed(100))
	w.must(w.works.Publish(t.Context(), w.local, "things", genesis.PublishRequest{Tier: genesis.TierPublic}))
	f := w.fly(w.reach(false))
	ctx := w.as("ada")
	for text, want := range map[string]codes.Code{
		`{"dataset":"things","position":101}`:                               codes.InvalidArgument,
		`{"dataset":"things","position":-1}`:                                codes.InvalidArgument,
		`{"dataset":"things","position":1e300}`:                             codes.InvalidArgument,
		`{"dataset":"things","columns":["none"]}`:                           codes.NotFound,
		`{"dataset":"things","columns":["ok","ok"]}`:                        codes.InvalidArgument,
		`{"dataset":"things","filter":"none > 3"}`:                          codes.InvalidArgument,
		`{"dataset":"things","filter":"power >"}`:                           codes.InvalidArgument,
		`{"dataset":"things","shard":3,"shards":3}`:                         codes.InvalidArgument,
		`{"dataset":"things","shards":-1}`:                                  codes.InvalidArgument,
		`{"dataset":"things","mode":"sideways"}`:                            codes.InvalidArgument,
		`{"dataset":"things","table":"none"}`:                               codes.NotFound,
		`{"dataset":"things","split":"none/train"}`:                         codes.NotFound,
		`{"dataset":"things","key":"` + strings.Repeat("ab", 32) + `"}`:     codes.Aborted,
		`{"dataset":"things@7"}`:                                            codes.NotFound,
		`{"dataset":"Not A Name"}`:                                          codes.InvalidArgument,
		`{"dataset":"things","sead":7}`:                                     codes.InvalidArgument,
		`{"dataset":"things"} {}`:                                           codes.InvalidArgument,
		`{}`:                                                                codes.InvalidArgument,
		``:                                                                  codes.InvalidArgument,
		"\xff\xfe":                                                          codes.InvalidArgument,
		`{"dataset":"` + strings.Repeat("x", 2<<20) + `"}`:                  codes.ResourceExhausted,
		`{"dataset":"things","filter":"` + strings.Repeat("x", 5000) + `"}`: codes.InvalidArgument,
	} {
		if _, _, err := f.get(ctx, &pb.Ticket{Ticket: []byte(text)}); rpc.Code(err) != want {
			t.Errorf("%.80q: %v, want %v", text, err, want)
		}
	}
	for _, d := range []*pb.FlightDescriptor{{}, {Type: pb.FlightDescriptor_PATH}, {Type: pb.FlightDescriptor_PATH, Path: []string{"a", "b", "c"}},
		{Type: pb.FlightDescriptor_CMD, Cmd: []byte("x")}, command(genesis.StreamRequest{Dataset: "things", Shards: 1025})} {
		if _, err := f.GetFlightInfo(ctx, d); rpc.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", d, err)
		}
	}
	put, err := f.DoPut(ctx)
	if err == nil {
		_, err = put.Recv()
	}
	if rpc.Code(err) != codes.Unimplemented || !strings.Contains(rpc.Convert(err).Message(), "\n") {
		t.Errorf("DoPut: %v", err)
	}
	if err := f.conn.Invoke(ctx, "/grpc.health.v1.Health/Check", &pb.Empty{}, &pb.Empty{}); rpc.Code(err) != codes.Unimplemented {
		t.Errorf("another service: %v", err)
	}
	if err := f.conn.Invoke(ctx, "/arrow.flight.protocol.FlightService/Nothing", &pb.Empty{}, &pb.Empty{}); rpc.Code(err) != codes.Unimplemented {
		t.Errorf("another method: %v", err)
	}
	if status, body := w.call("ada", "POST", "/arrow.flight.protocol.FlightService/DoGet", "{}"); status != 415 || !strings.Contains(string(body), "application/grpc") {
		t.Errorf("without gRPC: %d %s", status, body)
	}
}

// TestFlightOverTheSocket: whoever owns the home is known without a token.
func TestFlightOverTheSocket(t *testing.T) {
	var stranger atomic.Bool
	w := newTown(t, func(_ *Home, o *Options) {
		o.peer = func(c net.Conn) (uint32, error) {
			uid, err := peerUID(c)
			if stranger.Load() {
				uid++
			}
			return uid, err
		}
	})
	ref := w.prepare("things", mixed(100))
	f := w.dial("unix://"+w.node.sockets+"/"+apiSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	text, _, err := f.get(w.as("nobody"), ticketOf(genesis.StreamRequest{Dataset: ref}))
	if err != nil || len(text) < 1000 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	stranger.Store(true)
	g := w.dial("unix://"+w.node.sockets+"/"+apiSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if _, _, err := g.get(w.as("gil"), ticketOf(genesis.StreamRequest{Dataset: ref})); rpc.Code(err) != codes.PermissionDenied {
		t.Errorf("another user, with a token: %v", err)
	}
}

// TestFlightPurpose: it is said as over HTTP, and kept.
func TestFlightPurpose(t *testing.T) {
	w := newTown(t)
	w.prepare("wakes", "a,b\n1,2\n")
	w.must(w.works.Publish(t.Context(), w.local, "wakes", genesis.PublishRequest{Tier: genesis.TierControlled}))
	w.must(w.works.Grant(t.Context(), w.local, genesis.GrantRequest{Ref: "wakes", To: "person:gil", Actions: []genesis.Action{genesis.Read}, Condition: `purpose == "wake losses"`}))
	f := w.fly(w.reach(false))
	for purpose, want := range map[string]codes.Code{"": codes.PermissionDenied, "wake losses": codes.OK} {
		if _, _, err := f.get(w.as("gil", "genesis-purpose", purpose), ticketOf(genesis.StreamRequest{Dataset: "wakes"})); rpc.Code(err) != want {
			t.Errorf("for %q: %v", purpose, err)
		}
	}
}

// TestRevocationEndsFlights: a reader that reads learns why; one that does not, or slowly,
// gets no more than lay in its own buffers.
func TestRevocationEndsFlights(t *testing.T) {
	w := newTown(t)
	ends := map[string]func(name string, g *genesis.Grant) error{
		"grant": func(_ string, g *genesis.Grant) error {
			_, err := w.works.Revoke(t.Context(), w.local, g.ID, "over")
			return err
		},
		"withdrawal": func(name string, _ *genesis.Grant) error {
			_, err := w.works.Withdraw(t.Context(), w.local, name+"@1", "wrong")
			return err
		},
	}
	for _, c := range []struct {
		name   string
		secure bool
		end    string
		reads  bool
	}{{"reads", false, "grant", true}, {"reads-tls", true, "grant", true}, {"idle", false, "grant", false}, {"withdrawn", false, "withdrawal", true}} {
		t.Run(c.name, func(t *testing.T) {
			name := "flight-" + c.name
			g := w.lend(name, long(300_000), genesis.Read)
			f := w.fly(w.reach(c.secure))
			s, err := f.DoGet(w.as("gil"), ticketOf(genesis.StreamRequest{Dataset: name, Batch: 256}))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recv(); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			ended := make(chan error, 1)
			if c.reads {
				go func() {
					for err == nil {
						time.Sleep(2 * time.Millisecond) // some 1200 batches
						_, err = s.Recv()
					}
					ended <- err
				}()
			}
			if err := ends[c.end](name, g); err != nil {
				t.Fatal(err)
			}
			t.Log("ended after", time.Since(began))
			if !c.reads {
				time.Sleep(time.Second)
				for err == nil {
					_, err = s.Recv()
				}
				ended <- err
			}
			err = <-ended
			took := time.Since(began)
			if err == io.EOF || took > promptly {
				t.Errorf("it ended after %v: %v", took, err)
			}
			want := map[string]codes.Code{"grant": codes.PermissionDenied, "withdrawal": codes.PermissionDenied}[c.end]
			if c.reads && rpc.Code(err) != want {
				t.Errorf("the reason is %v", err)
			}
		})
	}
}

// TestRevocationEndsSlowFlights: what the node's kernel holds for a slow reader is not
// theirs any more either.
func TestRevocationEndsSlowFlights(t *testing.T) {
	w := newTown(t)
	for name, secure := range map[string]bool{"plain": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			g := w.lend("slowly-"+name, long(300_000), genesis.Read)
			_, conns := slowly(true)
			f := w.fly(w.reach(secure), grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return dialSlowly(ctx, addr, conns) }),
				grpc.WithInitialWindowSize(16<<20), grpc.WithInitialConnWindowSize(16<<20)) // all that holds them back is the connection
			s, err := f.DoGet(w.as("gil"), ticketOf(genesis.StreamRequest{Dataset: "slowly-" + name}))
			if err != nil {
				t.Fatal(err)
			}
			failed := make(chan error, 1)
			go func() {
				for err == nil {
					_, err = s.Recv()
				}
				failed <- err
			}()
			conn := <-conns
			for conn.read.Load() < slowRate {
				time.Sleep(10 * time.Millisecond)
			}
			w.must(w.works.Revoke(t.Context(), w.local, g.ID, "over"))
			began, before := time.Now(), conn.read.Load()
			err = <-failed
			took := time.Since(began)
			after := conn.read.Load() - before
			t.Logf("%d bytes in %v after the revocation: %v", after, took, err)
			if err == io.EOF {
				t.Error("it looks whole")
			}
			if after > 3*slowBuffer { // what is read until it is cut; without that some 220 KB
				t.Errorf("%d bytes came after the revocation", after)
			}
			if took > 2*time.Second {
				t.Errorf("it ended after %v", took)
			}
		})
	}
}

// TestFlightOutlivesItsToken, and only that: as streams over HTTP.
func TestFlightTokens(t *testing.T) {
	w := newTown(t)
	w.lend("nightly", long(300_000), genesis.Read)
	_, body := w.call("gil", "POST", "/v1/tokens", `{"name":"loop"}`)
	var made genesis.NewToken
	if err := json.Unmarshal(body, &made); err != nil {
		t.Fatal(string(body))
	}
	w.token["loop"] = made.Secret
	f := w.fly(w.reach(false))
	s, err := f.DoGet(w.as("loop"), ticketOf(genesis.StreamRequest{Dataset: "nightly", Batch: 256}))
	if err == nil {
		_, err = s.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	if status, b := w.call("gil", "DELETE", "/v1/tokens/"+made.Token.ID, ""); status != 200 {
		t.Fatal(status, string(b))
	}
	began := time.Now()
	for err == nil {
		time.Sleep(2 * time.Millisecond)
		_, err = s.Recv()
	}
	if err == io.EOF || time.Since(began) > promptly {
		t.Errorf("a revoked token's stream ended after %v: %v", time.Since(began), err)
	}
	if _, _, err := f.get(w.as("loop"), ticketOf(genesis.StreamRequest{Dataset: "nightly"})); rpc.Code(err) != codes.Unauthenticated {
		t.Errorf("a revoked token: %v", err)
	}
}

// TestFlightsOutliveTokens: a flight goes on when its token runs out by itself; the token
// begins no other one; and when the token, or a session, is revoked, the flight ends.
func TestFlightsOutliveTokens(t *testing.T) {
	w := newTown(t)
	w.lend("lasting", long(300_000), genesis.Read)
	token := w.personal("gil", "short")
	f := w.fly(w.reach(false))
	// begin reads a stream slowly, some 1200 batches, until it ends.
	begin := func(who string) chan error {
		t.Helper()
		s, err := f.DoGet(w.as(who), ticketOf(genesis.StreamRequest{Dataset: "lasting", Batch: 256}))
		if err == nil {
			_, err = s.Recv()
		}
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			for err == nil {
				time.Sleep(5 * time.Millisecond)
				_, err = s.Recv()
			}
			ended <- err
		}()
		return ended
	}
	ends := func(what string, ended chan error) {
		t.Helper()
		began := time.Now()
		select {
		case err := <-ended:
			if code := rpc.Code(err); code != codes.PermissionDenied || time.Since(began) > 2*time.Second {
				t.Errorf("%s: it ended after %v: %v", what, time.Since(began), err)
			}
		case <-time.After(promptly):
			t.Errorf("%s: it goes on", what)
		}
	}
	running := begin("short")
	session := begin("gil")
	w.must(nil, w.works.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE tokens SET expires_at = $1 WHERE id = $2", store.Time(time.Now().Add(-time.Second)), token.ID)
		return err
	}))
	select {
	case err := <-running:
		t.Fatalf("it ended with its token: %v", err)
	case <-time.After(2 * time.Second):
	}
	if _, _, err := f.get(w.as("short"), ticketOf(genesis.StreamRequest{Dataset: "lasting"})); rpc.Code(err) != codes.Unauthenticated {
		t.Errorf("a new one is answered %v", err)
	}
	if status, body := w.call("gil", "DELETE", "/v1/tokens/"+token.ID, ""); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	ends("its token is revoked", running)
	select {
	case err := <-session:
		t.Fatalf("the other ended, too: %v", err)
	default:
	}
	if status, body := w.call("gil", "POST", "/v1/signout", ""); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	ends("its session is over", session)
}

// TestFlightsLeaveNothing: clients that go away in the middle leave no goroutine and
// no request behind.
func TestFlightsLeaveNothing(t *testing.T) {
	w := newTown(t)
	w.lend("left", long(100_000), genesis.Read)
	at := w.reach(false)
	if _, _, err := w.fly(at).get(w.as("gil"), ticketOf(genesis.StreamRequest{Dataset: "left"})); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for i := range 12 {
		f := w.fly(at)
		ctx, cancel := context.WithCancel(w.as("gil"))
		s, err := f.DoGet(ctx, ticketOf(genesis.StreamRequest{Dataset: "left", Batch: 64}))
		if err == nil && i%3 > 0 {
			_, err = s.Recv()
		}
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			f.conn.Close()
		}
		cancel()
		f.conn.Close()
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		now, left := runtime.NumGoroutine(), w.node.presence.count()
		if now <= before && left == 0 {
			break
		}
		if time.Since(began) > promptly {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before %d; %d requests\n%s", now, before, left, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
