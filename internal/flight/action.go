package flight

import (
	"context"
	"encoding/json"

	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"

	"github.com/opengenesis/genesis"
)

// warm is the one action.
const warm = "warm"

// DoAction carries out "warm": it has everything made that a stream needs, and answers
// with its plan.
func (h *handler) DoAction(a *pb.Action, out pb.FlightService_DoActionServer) error {
	if a.GetType() != warm {
		return &genesis.Error{Op: "act", Kind: genesis.Unsupported, Subject: a.GetType(), Msg: "is no action of this node", Hint: "it has warm"}
	}
	req, err := parseRequest(a.GetBody())
	if err != nil {
		return err
	}
	who, err := h.caller(out.Context())
	if err != nil {
		return err
	}
	plan, err := h.Service.WarmStream(out.Context(), who, req, nil)
	if err != nil {
		return err
	}
	b, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	return out.Send(&pb.Result{Body: b})
}

// ListActions lists it.
func (h *handler) ListActions(_ *pb.Empty, out pb.FlightService_ListActionsServer) error {
	return out.Send(&pb.ActionType{Type: warm, Description: "have everything made that a stream needs, so that it begins at once; the body is a ticket, the result the plan"})
}

func notHere(op, msg, hint string) error {
	return &genesis.Error{Op: op, Kind: genesis.Unsupported, Msg: msg, Hint: hint}
}

// Handshake is not how one signs in here.
func (h *handler) Handshake(pb.FlightService_HandshakeServer) error {
	return notHere("sign in", "there is no handshake", "send a token with each call: authorization: Bearer TOKEN")
}

// DoPut is not how data comes in.
func (h *handler) DoPut(pb.FlightService_DoPutServer) error {
	return notHere("put", "nothing is written over Flight", "upload files over HTTP and prepare them: docs/server.md")
}

// DoExchange has nothing to exchange.
func (h *handler) DoExchange(pb.FlightService_DoExchangeServer) error {
	return notHere("exchange", "there is nothing to exchange", "ask for a stream with DoGet")
}

// PollFlightInfo has nothing to wait for.
func (h *handler) PollFlightInfo(context.Context, *pb.FlightDescriptor) (*pb.PollInfo, error) {
	return nil, notHere("poll", "flights are described at once", "ask GetFlightInfo")
}
