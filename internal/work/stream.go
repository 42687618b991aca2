package work

import (
	"context"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

// Stream opens a training stream for somebody who may read the version. The decision is
// evidence before this returns, together with what of the version is streamed; how much
// of it was sent is told once it ended. Errors: of the decision; those of
// [stream.Streams.Open].
func (s *Service) Stream(ctx context.Context, who genesis.Principal, req genesis.StreamRequest) (stream.Sender, error) {
	out, err := s.openStream(ctx, who, req)
	if err != nil {
		return nil, err // and no Sender that holds a nil
	}
	return out, nil
}

// StreamPlan says what a stream will be.
func (s *Service) StreamPlan(ctx context.Context, who genesis.Principal, req genesis.StreamRequest) (*genesis.StreamPlan, error) {
	out, err := s.openStream(ctx, who, req)
	if err != nil {
		return nil, err
	}
	if out.stream.Plan().Cached {
		err = out.stream.Warm(ctx, nil) // knows the features
	}
	plan := out.Plan()
	return &plan, err
}

// StreamSchema says what a stream will be, and with which message it begins. Where
// that follows from rows that are not cached yet, it waits for them to be, or without
// wait there is no message.
func (s *Service) StreamSchema(ctx context.Context, who genesis.Principal, req genesis.StreamRequest, wait bool) (*genesis.StreamPlan, ipc.Message, error) {
	out, err := s.openStream(ctx, who, req)
	if err != nil {
		return nil, ipc.Message{}, err
	}
	watched, stop := s.Access.Watch(ctx, out.ask)
	defer stop()
	m, err := out.stream.Schema(watched, wait)
	if err = withdrawn(watched, err); err != nil {
		return nil, ipc.Message{}, err
	}
	plan := out.Plan()
	return &plan, m, nil
}

// WarmStream has everything made that a stream needs, so that it begins at once.
func (s *Service) WarmStream(ctx context.Context, who genesis.Principal, req genesis.StreamRequest, p genesis.Progress) (*genesis.StreamPlan, error) {
	out, err := s.openStream(ctx, who, req)
	if err != nil {
		return nil, err
	}
	watched, stop := s.Access.Watch(ctx, out.ask)
	defer stop()
	if err := withdrawn(watched, out.stream.Warm(watched, p)); err != nil {
		return nil, err
	}
	plan := out.Plan()
	return &plan, nil
}

// streaming is a stream of somebody.
type streaming struct {
	service *Service
	stream  *stream.Stream
	ask     access.Ask
	shared  journal.Shared
}

// openStream is enter for streams: its entry says what of the version is streamed.
func (s *Service) openStream(ctx context.Context, who genesis.Principal, req genesis.StreamRequest) (*streaming, error) {
	since := s.Cache.Now() // before it is decided
	v, err := s.find(ctx, who, req.Dataset)
	if err != nil {
		return nil, err
	}
	d, refusal := s.Access.Decide(ctx, s.ask(who, genesis.Read, resource(v)))
	if refusal != nil {
		return nil, s.refused(ctx, who, d, refusal)
	}
	st, err := s.resolveStream(ctx, v, req, since)
	if genesis.KindOf(err) == genesis.NotFound {
		err = inside{err}
	}
	if err != nil {
		return nil, err
	}
	plan := st.Plan()
	e := s.event(d)
	e.Detail = inSession(detail(map[string]any{"stream": plan.Key, "table": plan.Table, "split": plan.Split, "mode": plan.Mode, "columns": req.Columns, "filter": req.Filter}), s.session(who))
	shared, err := s.Journal.Share(ctx, e)
	if err != nil {
		return nil, err
	}
	return &streaming{s, st, d.Ask, shared}, nil
}

// resolveStream makes the stream of a version.
func (s *Service) resolveStream(ctx context.Context, v genesis.Version, req genesis.StreamRequest, since uint64) (*stream.Stream, error) {
	t := stream.Target{Version: v}
	var err error
	if t.Manifest, err = s.Catalog.Manifest(ctx, v); err != nil {
		return nil, err
	}
	if v.Kind == genesis.Dataset {
		if t.Layout, err = s.Catalog.Layout(ctx, v); err != nil {
			return nil, err
		}
		err = s.Catalog.Record(ctx, v, genesis.RecordSplits, &t.Splits)
		if err != nil && genesis.KindOf(err) != genesis.NotFound {
			return nil, err
		}
	}
	return (&stream.Streams{Blobs: s.Blobs, Cache: s.Cache, Bodies: &s.bodies, Since: since}).Open(t, req)
}

func (o *streaming) Plan() genesis.StreamPlan { return o.stream.Plan() }

// Send sends the stream for as long as the right to it lasts.
func (o *streaming) Send(ctx context.Context, sink stream.Sink) error {
	ctx, stop := o.service.Access.WatchLasting(ctx, o.ask)
	defer stop()
	defer endsWith(ctx, sink)()
	counted := &countedSink{Sink: sink}
	defer func() { o.shared.Add(1, counted.bytes) }()
	return withdrawn(ctx, o.stream.Send(ctx, counted))
}

// countedSink counts the bytes that were sent.
type countedSink struct {
	stream.Sink
	bytes int64
}

func (c *countedSink) Send(m ipc.Message) error {
	err := c.Sink.Send(m)
	if err == nil {
		c.bytes += int64(len(m.Meta) + len(m.Body))
	}
	return err
}
