package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

// streamer sends training streams.
type streamer interface {
	Stream(ctx context.Context, who genesis.Principal, req genesis.StreamRequest) (stream.Sender, error)
	StreamPlan(ctx context.Context, who genesis.Principal, req genesis.StreamRequest) (*genesis.StreamPlan, error)
	WarmStream(ctx context.Context, who genesis.Principal, req genesis.StreamRequest, p genesis.Progress) (*genesis.StreamPlan, error)
}

// arrowType is the media type of Arrow's stream format.
const arrowType = "application/vnd.apache.arrow.stream"

func (s *server) registerStreams(a huma.API) {
	get, post := http.MethodGet, http.MethodPost
	bytesOf(s, a, repeats(op(get, "/v1/datasets/{ref}/stream", "stream", "The rows of a dataset as a training stream, in Arrow's stream format")), s.stream)
	quick(s, a, repeats(op(get, "/v1/datasets/{ref}/plan", "stream-plan", "What a stream will be: version, rows, key, columns, features")), s.streamPlan)
	long(s, a, weighs(4, repeats(op(post, "/v1/datasets/{ref}/cache", "stream-warm", "Have everything made that a stream needs, so that it begins at once"))), s.warmStream)
}

// StreamInput are the parameters of a stream (docs/streams.md).
type StreamInput struct {
	RefInput
	Table      string   `query:"table" maxLength:"1000" doc:"empty: the first"`
	Split      string   `query:"split" maxLength:"300" doc:"train, validation or test of the table's first split, NAME/train of another, NAME/fold-3, NAME/not-fold-3; empty: all rows" example:"train"`
	Columns    []string `query:"columns,explode" doc:"these columns, in this order, repeated; none for all"`
	Filter     string   `query:"filter" maxLength:"4000" doc:"a CEL expression over the table's columns; rows for which it holds"`
	Mode       string   `query:"mode" enum:"sequential,block,full" default:"sequential" doc:"the order of the rows"`
	Seed       uint64   `query:"seed" doc:"of the order"`
	Epoch      uint64   `query:"epoch" doc:"of the order"`
	Block      int      `query:"block" minimum:"0" maximum:"1048576" doc:"rows that stay together in mode block; 0: by the width of a row"`
	Batch      int      `query:"batch" minimum:"0" maximum:"1048576" doc:"rows of the order that make a batch; 0: 1024, or fewer of wide rows"`
	Position   int64    `query:"position" minimum:"0" doc:"where in the order to begin: the first row that was not yet consumed"`
	Shard      int      `query:"shard" minimum:"0" doc:"which of the shards"`
	Shards     int      `query:"shards" minimum:"1" maximum:"65536" default:"1" doc:"among how many the batches are dealt"`
	Key        string   `query:"key" maxLength:"64" doc:"of the order that position belongs to: 409 if it has become another one"`
	As         string   `query:"as" enum:"table,dictionary,rows" default:"table" doc:"what batches hold"`
	Target     []string `query:"target,explode" doc:"of rows: the columns to predict; none for those of role target"`
	Categories string   `query:"categories" enum:"onehot,code" doc:"of rows: how categories become numbers; onehot unless given"`
	Scale      string   `query:"scale" enum:"standard,none" doc:"of rows: whether numbers are scaled by the training part; standard unless given"`
	Mask       bool     `query:"mask" doc:"of rows: say which values were missing"`
}

func (in *StreamInput) request() genesis.StreamRequest {
	return genesis.StreamRequest{Dataset: in.Ref, Table: in.Table, Split: in.Split, Columns: in.Columns, Filter: in.Filter, Mode: genesis.StreamMode(in.Mode),
		Seed: in.Seed, Epoch: in.Epoch, Block: in.Block, Batch: in.Batch, Position: in.Position, Shard: in.Shard, Shards: in.Shards, Key: in.Key,
		As: genesis.StreamForm(in.As), Target: in.Target, Categories: in.Categories, Scale: in.Scale, Mask: in.Mask}
}

func (s *server) stream(ctx context.Context, who genesis.Principal, in *StreamInput) (*content, error) {
	sender, err := s.Service.Stream(ctx, who, in.request())
	if err == nil && sender == nil {
		err = notYet("stream")
	}
	if err != nil {
		return nil, err
	}
	return &content{Type: arrowType, Size: -1, Write: func(w io.Writer) error {
		return sendStream(ctx, sender, w.(*download))
	}}, nil
}

func (s *server) streamPlan(ctx context.Context, who genesis.Principal, in *StreamInput) (*genesis.StreamPlan, error) {
	return s.Service.StreamPlan(ctx, who, in.request())
}

func (s *server) warmStream(ctx context.Context, who genesis.Principal, in *StreamInput, p genesis.Progress) (*genesis.StreamPlan, error) {
	return s.Service.WarmStream(ctx, who, in.request(), p)
}

// sendStream sends a stream and the mark of its end.
func sendStream(ctx context.Context, sender stream.Sender, w *download) error {
	sink := &streamSink{download: w, pushed: time.Now()}
	if err := sender.Send(ctx, sink); err != nil {
		return err
	}
	_, err := w.Write(ipc.End)
	return err
}

// pushEvery is how long a small batch may wait for others to go with it.
const pushEvery = 20 * time.Millisecond

// streamSink puts messages on an answer. A body is filled behind room for what
// stands before it, so that both go out in one write.
type streamSink struct {
	*download
	bufs   [2][]byte // bodies, in turn: one is sent while the other is filled
	filled int       // bodies given out
	taken  int       // and sent
	prefix []byte
	sent   int
	pushed time.Time
}

// prefixRoom is for the metadata of a batch; those of tables with hundreds of columns
// are longer and are written by themselves.
const prefixRoom = 8 << 10

// Bodies are those in bufs.
func (s *streamSink) Bodies() int { return len(s.bufs) }

func (s *streamSink) Body(n int) []byte {
	buf := &s.bufs[s.filled%2]
	s.filled++
	if cap(*buf) < prefixRoom+n {
		*buf = make([]byte, prefixRoom+n)
	}
	return (*buf)[prefixRoom : prefixRoom+n : prefixRoom+n]
}

func (s *streamSink) Send(m ipc.Message) error {
	s.prefix = m.AppendPrefix(s.prefix[:0])
	if err := s.put(m.Body); err != nil {
		return err
	}
	s.sent++
	if now := time.Now(); s.sent <= 3 || now.Sub(s.pushed) > pushEvery {
		s.pushed = now
		return s.push()
	}
	return nil
}

func (s *streamSink) put(body []byte) error {
	if body == nil {
		_, err := s.Write(s.prefix)
		return err
	}
	buf := s.bufs[s.taken%2]
	s.taken++
	if len(s.prefix) > prefixRoom {
		if _, err := s.Write(s.prefix); err != nil {
			return err
		}
		_, err := s.Write(body)
		return err
	}
	from := prefixRoom - len(s.prefix)
	copy(buf[from:], s.prefix)
	_, err := s.Write(buf[from : prefixRoom+len(body)])
	return err
}
