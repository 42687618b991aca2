package federation

import (
	"context"
	"io"
	"strings"
	"sync"

	"github.com/opengenesis/genesis"
)

// PersonVouch gives this node's word for somebody of it at another node.
type PersonVouch func(context.Context, genesis.Principal, genesis.PeerTokenRequest) (genesis.PeerToken, error)

// maxDoors is for how many people and nodes a session is kept at once.
const maxDoors = 4096

// people are the doors through which others are asked in the name of people of this node.
type people struct {
	vouch PersonVouch

	mu         sync.Mutex
	young, old map[string]*door // used since the young began, and before
}

// door returns somebody's way to another node. Doors that are used stay: when the young ones
// are many, the old ones go.
func (p *people) door(f *Federation, who genesis.Principal, node genesis.NodeID) *door {
	scopes := make([]string, len(who.Scopes))
	for i, s := range who.Scopes {
		scopes[i] = string(s)
	}
	key := strings.Join(append(scopes, string(node), who.Subject, who.Credential), "\x00")
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.young[key]
	if d == nil {
		if d = p.old[key]; d == nil {
			d = f.door(node, func(ctx context.Context, audience genesis.NodeID, thumbprint string) (genesis.PeerToken, error) {
				return p.vouch(ctx, who, genesis.PeerTokenRequest{Audience: audience, Key: thumbprint})
			})
		}
		if len(p.young) >= maxDoors/2 || p.young == nil {
			p.old, p.young = p.young, map[string]*door{}
		}
		p.young[key] = d
	}
	return d
}

// AskAs returns the body of what is at a path of another node, asked for somebody of this
// one by this node's word. The session is kept for the next time. Errors: those of
// [identity.PeerToken], Unavailable, and what the other node says.
func (f *Federation) AskAs(ctx context.Context, who genesis.Principal, node genesis.NodeID, path string) (io.ReadCloser, error) {
	if f.people.vouch == nil {
		return nil, refusal("ask node", genesis.Unsupported, string(node), "this node vouches for nobody", "")
	}
	return f.people.door(f, who, node).Get(ctx, path)
}
