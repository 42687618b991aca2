package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/guest"
)

// Peers asks other nodes for somebody of this one, with its word for them.
// internal/federation does.
type Peers interface {
	// Get returns what is at a path (escaped, below the version of the API), as that person
	// gets it. Errors: Unavailable (no member, or it does not answer), and what the node
	// says.
	Get(ctx context.Context, who genesis.Principal, node genesis.NodeID, path string, header http.Header) (*http.Response, error)
}

// maxPeerAnswer bounds what another node answers to a quick question, in bytes.
const maxPeerAnswer = 8 << 20

// peerGet asks another node for something small.
func peerGet[T any](ctx context.Context, s *Service, who genesis.Principal, node genesis.NodeID, path string) (*T, error) {
	resp, err := s.peer(ctx, who, node, path)
	if err != nil {
		return nil, err
	}
	text, err := readPeer(ctx, node, resp.Body, maxPeerAnswer)
	if err != nil {
		return nil, err
	}
	var out T
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, &genesis.Error{Op: "ask node", Kind: genesis.Unavailable, Subject: string(node), Msg: "it answers something else than was asked", Hint: "it may run another version of the program", Err: err}
	}
	return &out, nil
}

// readPeer reads what another node answers. What is wrong with that is not the fault of
// whoever asked this one: it is Unavailable.
func readPeer(ctx context.Context, node genesis.NodeID, body io.ReadCloser, most int64) ([]byte, error) {
	text, err := guest.Read(ctx, string(node), body, most)
	if known := (*genesis.Error)(nil); errors.As(err, &known) {
		known.Kind = genesis.Unavailable
	}
	return text, err
}

func (s *Service) peer(ctx context.Context, who genesis.Principal, node genesis.NodeID, path string) (*http.Response, error) {
	if s.Peers == nil {
		return nil, &genesis.Error{Op: "ask node", Kind: genesis.Unsupported, Subject: string(node), Msg: "this node asks no others", Hint: "`genesis serve` serves a node that does"}
	}
	return s.Peers.Get(ctx, who, node, path, nil)
}

// notThere is an error of another node as whoever asked is told it: what it has not, or does
// not show them, under the name that they gave it. That node has kept its secrets already.
func notThere(err error, op, what string, node genesis.NodeID) error {
	if genesis.KindOf(err) != genesis.NotFound {
		return err
	}
	return inside{&genesis.Error{Op: op, Kind: genesis.NotFound, Subject: what, Msg: fmt.Sprintf("is not at %s, or not for you to see there", node), Err: err}}
}

// elsewhere returns the node that a reference names, if it is another one.
func (s *Service) elsewhere(ref string) (genesis.Ref, bool) {
	r, err := genesis.ParseRef(ref)
	return r, err == nil && r.Node != "" && r.Node != s.Node
}

// May is what somebody may do with a version now: with one of another node, what that
// one says. It decides nothing and leaves no evidence; what they may not know of is not
// there.
func (s *Service) May(ctx context.Context, who genesis.Principal, ref string) (*genesis.May, error) {
	if r, ok := s.elsewhere(ref); ok {
		if !s.home(who) || !who.SignedIn() {
			return nil, homeOnly("ask node", who)
		}
		node := r.Node
		r.Node = ""
		m, err := peerGet[genesis.May](ctx, s, who, node, "/versions/"+url.PathEscape(r.String())+"/may")
		if err != nil {
			return nil, notThere(err, "look up", ref, node)
		}
		m.Ref.Node = node
		return m, nil
	}
	v, err := s.find(ctx, who, ref)
	if err != nil {
		return nil, err
	}
	m := &genesis.May{Ref: v.Ref(), Kind: v.Kind, Actions: []genesis.Action{}}
	for _, a := range genesis.Actions {
		if a == genesis.Operate {
			continue
		}
		_, err := s.Access.Decide(ctx, s.ask(who, a, resource(v)))
		if err != nil && !isRefusal(err) {
			return nil, unnamed(err)
		}
		if err == nil {
			m.Actions = append(m.Actions, a)
		}
	}
	return m, nil
}
