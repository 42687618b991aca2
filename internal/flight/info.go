package flight

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

const (
	maxEndpoints = 1024    // of one flight
	maxTickets   = 2 << 20 // bytes of them: clients take 4 MiB
	maxFlights   = 10_000  // of a list
	page         = 100
	maxHits      = 200
	maxCriteria  = 1000 // bytes
)

// GetFlightInfo says what a stream will be, and gives a ticket for each of its shards.
func (h *handler) GetFlightInfo(ctx context.Context, d *pb.FlightDescriptor) (*pb.FlightInfo, error) {
	req, err := parseDescriptor(d)
	if err != nil {
		return nil, err
	}
	if req.Shards > maxEndpoints {
		return nil, tooMany(fmt.Sprintf("is %d; at most %d are listed", req.Shards, maxEndpoints))
	}
	who, err := h.caller(ctx)
	if err != nil {
		return nil, err
	}
	plan, schema, err := h.Service.StreamSchema(ctx, who, req, false)
	if err != nil {
		return nil, err
	}
	info := &pb.FlightInfo{FlightDescriptor: d, Schema: encapsulated(schema), TotalRecords: -1, TotalBytes: -1, Ordered: plan.Shards == 1}
	if req.Filter == "" {
		info.TotalRecords = plan.Rows - plan.Position
	}
	if info.AppMetadata, err = json.Marshal(plan); err != nil {
		return nil, err
	}
	info.Endpoint, err = endpoints(req, plan)
	return info, err
}

func tooMany(msg string) error {
	return &genesis.Error{Op: "describe flight", Kind: genesis.Invalid, Subject: "shards", Msg: msg, Hint: "write the tickets yourself: they differ in shard alone"}
}

// endpoints are those of the shards. All tickets are for the very order that was
// described, whatever is published meanwhile.
func endpoints(req genesis.StreamRequest, plan *genesis.StreamPlan) ([]*pb.FlightEndpoint, error) {
	req.Dataset, req.Key = genesis.Ref{Name: plan.Name, Digest: plan.Version}.String(), plan.Key
	all := make([]*pb.FlightEndpoint, plan.Shards)
	for i := range all {
		req.Shard = i
		t, err := ticket(req)
		if err != nil {
			return nil, err
		}
		if len(t.Ticket)*plan.Shards > maxTickets {
			return nil, tooMany(fmt.Sprintf("is %d; tickets for so many columns are listed for fewer", plan.Shards))
		}
		all[i] = &pb.FlightEndpoint{Ticket: t}
	}
	return all, nil
}

// encapsulated is a schema as Flight wants it outside of a stream: with what stands
// before a message there. There is none of no message.
func encapsulated(m ipc.Message) []byte {
	if m.Meta == nil {
		return nil
	}
	return m.AppendPrefix(nil)
}

// GetSchema returns the schema of a stream. It waits for what that depends on.
func (h *handler) GetSchema(ctx context.Context, d *pb.FlightDescriptor) (*pb.SchemaResult, error) {
	req, err := parseDescriptor(d)
	if err != nil {
		return nil, err
	}
	who, err := h.caller(ctx)
	if err != nil {
		return nil, err
	}
	_, schema, err := h.Service.StreamSchema(ctx, who, req, true)
	if err != nil {
		return nil, err
	}
	return &pb.SchemaResult{Schema: encapsulated(schema)}, nil
}

// ListFlights lists the datasets that the caller may know of: those that match the
// criteria's text, best first, or all by name.
func (h *handler) ListFlights(c *pb.Criteria, out pb.FlightService_ListFlightsServer) error {
	ctx, text := out.Context(), string(c.GetExpression())
	if len(text) > maxCriteria || !utf8.ValidString(text) {
		return &genesis.Error{Op: "list flights", Kind: genesis.Invalid, Subject: "criteria", Msg: fmt.Sprintf("are not a text of at most %d bytes", maxCriteria)}
	}
	who, err := h.caller(ctx)
	if err != nil {
		return err
	}
	if text == "" {
		return h.listAll(ctx, who, out)
	}
	q := genesis.SearchQuery{Text: text, Limit: maxHits, Local: true,
		Filter: genesis.SearchFilter{Values: map[genesis.Facet][]string{genesis.FacetKind: {string(genesis.Dataset)}}}}
	found, err := h.Service.Search(ctx, who, q)
	if err != nil {
		return err
	}
	for _, hit := range found.Hits {
		if r, err := genesis.ParseRef(hit.Ref); err != nil || r.Node != "" {
			continue // streams are of what is here
		}
		l := hit.Listing
		v := genesis.Version{Name: l.Name, Kind: l.Kind, Digest: l.Version, Number: l.Number, State: genesis.Draft, Rows: l.Rows, Bytes: l.Bytes}
		if l.Number > 0 {
			v.State = genesis.Published
		}
		if err := sendListed(out, genesis.Asset{Name: l.Name, Kind: l.Kind, Title: l.Title, Latest: &v}); err != nil {
			return err
		}
	}
	return nil
}

func (h *handler) listAll(ctx context.Context, who genesis.Principal, out pb.FlightService_ListFlightsServer) error {
	after := ""
	for sent := 0; ; sent += page {
		if sent >= maxFlights {
			return &genesis.Error{Op: "list flights", Kind: genesis.Unsupported, Msg: fmt.Sprintf("there are more than the %d that are listed", maxFlights),
				Hint: "give criteria, a text that they are searched for, or list assets over HTTP, in pages"}
		}
		assets, next, err := h.Service.List(ctx, who, genesis.Dataset, after, page)
		if err != nil {
			return err
		}
		for _, a := range assets {
			if err := sendListed(out, a); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// sendListed sends a dataset as a flight: how it is asked for, and what the catalogue
// says of it. What takes the right to read it, GetFlightInfo says.
func sendListed(out pb.FlightService_ListFlightsServer, a genesis.Asset) error {
	meta, err := json.Marshal(a)
	if err != nil {
		return err
	}
	t, err := ticket(genesis.StreamRequest{Dataset: string(a.Name)})
	if err != nil {
		return err
	}
	return out.Send(&pb.FlightInfo{FlightDescriptor: &pb.FlightDescriptor{Type: pb.FlightDescriptor_PATH, Path: []string{string(a.Name)}},
		Endpoint: []*pb.FlightEndpoint{{Ticket: t}}, TotalRecords: -1, TotalBytes: -1, Ordered: true, AppMetadata: meta})
}
