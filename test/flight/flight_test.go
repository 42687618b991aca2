// Package flight reads a node's Arrow Flight with arrow-go's own client and reader,
// which share no code with what sends.
package flight

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const rows = 3000

// node is a genesis serve.
type node struct {
	*testing.T
	binary, home string
}

func (n *node) run(in string, args ...string) []byte {
	n.Helper()
	cmd := exec.Command(n.binary, append([]string{"--home", n.home}, args...)...)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(in), &errs
	out, err := cmd.Output()
	if err != nil {
		n.Fatalf("genesis %v: %v\n%s", args, err, errs.String())
	}
	return out
}

// start serves a table of which every cell follows from its row.
func start(t *testing.T) (client flight.Client, ctx context.Context) {
	t.Helper()
	n := &node{t, filepath.Join(t.TempDir(), "genesis"), filepath.Join(t.TempDir(), "home")}
	build := exec.Command("go", "build", "-o", n.binary, "./cmd/genesis")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var csv strings.Builder
	csv.WriteString("id,speed,site,ok,day,count\n")
	for i := range rows {
		r := rowOf(i)
		fmt.Fprintf(&csv, "%s,%s,%s,%s,%s,%s\n", r[0], r[1], r[2], r[3], r[4], r[5])
	}
	path := filepath.Join(t.TempDir(), "things.csv")
	if err := os.WriteFile(path, []byte(csv.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	n.run("", "prepare", path, "--name", "things", "--no-proof")
	n.run("", "publish", "things", "--tier", "registered")
	n.run("", "account", "add", "ada", "--service")
	var token struct{ Secret string }
	if err := json.Unmarshal(n.run("", "--json", "token", "create", "test", "--subject", "ada"), &token); err != nil {
		t.Fatal(err)
	}
	serve := exec.Command(n.binary, "--home", n.home, "serve", "--listen", "127.0.0.1:0", "--json")
	pipe, err := serve.StdoutPipe()
	if err == nil {
		err = serve.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Signal(os.Interrupt)
		_ = serve.Wait()
	})
	var said struct{ URL string }
	if err := json.NewDecoder(pipe).Decode(&said); err != nil {
		t.Fatal(err)
	}
	client, err = flight.NewClientWithMiddleware(strings.TrimPrefix(said.URL, "http://"), nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token.Secret)
}

// rowOf is a row as text; empty where there is no value.
func rowOf(i int) [6]string {
	speed := fmt.Sprintf("%d.25", i*7919%1000)
	if i%10 == 3 {
		speed = ""
	}
	return [6]string{fmt.Sprintf("r%06d", i), speed, []string{"north", "south", "east"}[i%3], fmt.Sprint(i%2 == 0), fmt.Sprintf("2024-%02d-%02d", 1+i%12, 1+i%28), fmt.Sprint(i * i % 997)}
}

// read reads a stream as rows of text.
func read(t *testing.T, client flight.Client, ctx context.Context, ticket *flight.Ticket) (out [][6]string, batches int) {
	t.Helper()
	s, err := client.DoGet(ctx, ticket)
	if err != nil {
		t.Fatal(err)
	}
	r, err := flight.NewRecordReader(s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for r.Next() {
		batches++
		b := r.RecordBatch()
		for i := range int(b.NumRows()) {
			var row [6]string
			for k := range row {
				row[k] = text(b.Column(k), i)
			}
			out = append(out, row)
		}
		var said struct{ Position, Next int64 }
		if err := json.Unmarshal(r.LatestAppMetadata(), &said); err != nil || said.Next <= said.Position {
			t.Fatalf("a batch says %q", r.LatestAppMetadata())
		}
	}
	if err := r.Err(); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return out, batches
}

func text(a arrow.Array, i int) string {
	if a.IsNull(i) {
		return ""
	}
	if d, ok := a.(*array.Date32); ok {
		return d.Value(i).FormattedString()
	}
	return a.ValueStr(i)
}

func ticket(s string) *flight.Ticket { return &flight.Ticket{Ticket: []byte(s)} }

// TestArrowGoReadsTheTable in stored and in random order, in parts, from a position on.
func TestArrowGoReadsTheTable(t *testing.T) {
	client, ctx := start(t)
	var want [][6]string
	for i := range rows {
		want = append(want, rowOf(i))
	}
	got, _ := read(t, client, ctx, ticket(`{"dataset":"things"}`))
	if !slices.Equal(got, want) {
		t.Fatalf("%d rows, the first %v, want %v", len(got), got[:1], want[0])
	}
	if part, n := read(t, client, ctx, ticket(`{"dataset":"things","position":1000,"batch":64,"shard":1,"shards":2}`)); n != 16 || !slices.Equal(part[:64], want[1064:1128]) {
		t.Errorf("%d batches, %d rows", n, len(part))
	}
	full, _ := read(t, client, ctx, ticket(`{"dataset":"things","mode":"full","seed":5,"as":"dictionary"}`))
	again, _ := read(t, client, ctx, ticket(`{"dataset":"things","mode":"full","seed":5}`))
	if slices.Equal(full, want) || !slices.Equal(full, again) {
		t.Error("the random order is none, or not the same")
	}
	byID := func(a, b [6]string) int { return strings.Compare(a[0], b[0]) }
	slices.SortFunc(full, byID)
	if !slices.Equal(full, want) {
		t.Error("in random order other rows come")
	}
	info, err := client.GetFlightInfo(ctx, &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: []byte(`{"dataset":"things","mode":"block","shards":4,"batch":100}`)})
	if err != nil {
		t.Fatal(err)
	}
	schema, err := flight.DeserializeSchema(info.Schema, nil)
	if err != nil || schema.NumFields() != 6 {
		t.Errorf("%v, %v", schema, err)
	}
	var all [][6]string
	for _, e := range info.Endpoint {
		part, _ := read(t, client, ctx, e.Ticket)
		all = append(all, part...)
	}
	slices.SortFunc(all, byID)
	if len(info.Endpoint) != 4 || !slices.Equal(all, want) {
		t.Errorf("%d endpoints have %d rows", len(info.Endpoint), len(all))
	}
	if _, err := client.GetFlightInfo(t.Context(), &flight.FlightDescriptor{Type: flight.DescriptorPATH, Path: []string{"things"}}); status.Code(err) != codes.NotFound {
		t.Errorf("without a token: %v", err)
	}
}
