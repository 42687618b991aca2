package federation

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

// VouchFor gives this node's word for one of its people at another node, bound to the
// secret of that thumbprint. It refuses who may no longer act.
type VouchFor func(ctx context.Context, who genesis.Principal, audience genesis.NodeID, thumbprint string) (genesis.PeerToken, error)

// WithinFor is another text after each change of the projects that somebody is in.
type WithinFor func(ctx context.Context, who genesis.Principal) (string, error)

// maxDoors is how many ways of people to other nodes are kept. One that is not kept is
// made again, which takes a token and a session.
const maxDoors = 256

// purposeHeader says what a request is for.
const purposeHeader = "Genesis-Purpose"

// People are the ways of this node's people to other nodes: what the node asks there for
// somebody, it asks with its word for them, and gets what they may have. It is safe for
// concurrent use.
type People struct {
	f      *Federation
	vouch  VouchFor
	within WithinFor

	mu    sync.Mutex
	doors map[passage]*personDoor
}

// passage is who goes where, by which credential and in which projects: what it is narrowed
// to, and what it is widened by, is in the session.
type passage struct {
	node       genesis.NodeID
	subject    string
	credential string
	scopes     string
	projects   genesis.Digest // of what is said of them
}

// personDoor is a door, and when it was used last.
type personDoor struct {
	*door
	used time.Time
}

// People returns the ways of this node's people.
func (f *Federation) People(vouch VouchFor, within WithinFor) *People {
	return &People{f: f, vouch: vouch, within: within, doors: map[passage]*personDoor{}}
}

// Get returns what is at a path of another node (escaped, below the version of the API), as somebody of
// this one gets it; the header may ask for a part (Range), which is answered with 206, or
// whole with 200. The context bounds the reading of the body, too, which the caller
// closes. Errors: Unavailable (no member, does not answer, cannot be vouched for now),
// and what the other node says.
func (p *People) Get(ctx context.Context, who genesis.Principal, node genesis.NodeID, path string, header http.Header) (*http.Response, error) {
	header = header.Clone()
	if who.Purpose != "" {
		if header == nil {
			header = http.Header{}
		}
		header.Set(purposeHeader, who.Purpose)
	}
	projects, err := p.within(ctx, who)
	if err != nil {
		return nil, err
	}
	return p.door(who, node, projects).get(ctx, path, header)
}

// door returns the way of somebody to a node, the same each time while they are in the same
// projects.
func (p *People) door(who genesis.Principal, node genesis.NodeID, projects string) *door {
	key := passage{node: node, subject: who.Subject, credential: who.Credential, scopes: scopesText(who.Scopes), projects: genesis.DigestOf([]byte(projects))}
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.doors[key]
	if d == nil {
		p.forget()
		d = &personDoor{door: p.f.door(node, func(ctx context.Context, audience genesis.NodeID, thumbprint string) (genesis.PeerToken, error) {
			return p.vouch(ctx, who, audience, thumbprint)
		})}
		p.doors[key] = d
	}
	d.used = p.f.Now()
	return d.door
}

// scopesText tells narrowed principals apart; nil is not narrowed.
func scopesText(scopes []genesis.Scope) string {
	if scopes == nil {
		return "*"
	}
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// forget makes room for one more: the one not used for longest goes. What it is asking
// goes on.
func (p *People) forget() {
	if len(p.doors) < maxDoors {
		return
	}
	var oldest passage
	var at time.Time
	for k, d := range p.doors {
		if at.IsZero() || d.used.Before(at) {
			oldest, at = k, d.used
		}
	}
	delete(p.doors, oldest)
}
