package flight

import (
	"bytes"
	"encoding/json"
	"io"

	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"

	"github.com/opengenesis/genesis"
)

const asksHint = `a ticket, or a descriptor's command, is the request as JSON: {"dataset":"turbines","split":"train","mode":"full","seed":7}`

// parseRequest reads a request from a ticket, a command or the body of an action.
// Errors: Invalid.
func parseRequest(b []byte) (genesis.StreamRequest, error) {
	var req genesis.StreamRequest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(&req)
	if err != nil {
		return req, unreadable(err.Error())
	}
	if _, err := d.Token(); err != io.EOF {
		return req, unreadable("there is more behind its end")
	}
	if req.Dataset == "" {
		return req, unreadable("it names no dataset")
	}
	return req, nil
}

func unreadable(why string) error {
	return &genesis.Error{Op: "read ticket", Kind: genesis.Invalid, Msg: "is not a request for a stream: " + why, Hint: asksHint}
}

// parseDescriptor reads a request from a descriptor: a command, or a path of a
// reference and, perhaps, a table.
func parseDescriptor(d *pb.FlightDescriptor) (genesis.StreamRequest, error) {
	switch {
	case d.GetType() == pb.FlightDescriptor_CMD && len(d.GetPath()) == 0:
		return parseRequest(d.GetCmd())
	case d.GetType() != pb.FlightDescriptor_PATH || len(d.GetCmd()) > 0 || len(d.GetPath()) < 1 || len(d.GetPath()) > 2:
		return genesis.StreamRequest{}, &genesis.Error{Op: "read descriptor", Kind: genesis.Invalid, Msg: "is neither a command nor a path of a reference and a table", Hint: asksHint}
	}
	req := genesis.StreamRequest{Dataset: d.GetPath()[0]}
	if len(d.GetPath()) == 2 {
		req.Table = d.GetPath()[1]
	}
	return req, nil
}

// ticket is a request as JSON.
func ticket(req genesis.StreamRequest) (*pb.Ticket, error) {
	b, err := json.Marshal(req)
	return &pb.Ticket{Ticket: b}, err
}
