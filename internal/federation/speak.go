package federation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

const (
	heardFor  = time.Hour // what a node said that it speaks is believed for
	mostHeard = 2000
)

// protocol is what two nodes speak with each other.
type protocol struct {
	api    string // version of the API: "v1"
	format int    // of messages
}

// path is where something is in the version of the API, escaped.
func (p protocol) path(below string) string { return "/" + p.api + below }

// hearsay is what other nodes said that they speak, by their URLs.
type hearsay struct {
	mu sync.Mutex
	at map[string]heard
}

// heard is a descriptor, and the key that signed it.
type heard struct {
	said genesis.Descriptor
	by   genesis.NodeKey
	at   time.Time
}

// isOf reports whether a member said it: it is signed by a key that the charter has of it.
func (x heard) isOf(m genesis.Member, now time.Time) bool {
	_, ok := m.Key(genesis.KeyMessage, x.by.ID, now)
	return ok && x.said.Node == m.ID && genesis.KeyID(x.by.Public) == x.by.ID
}

func (h *hearsay) get(base string, now time.Time) (heard, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x, ok := h.at[base]
	return x, ok && now.Sub(x.at) < heardFor && !now.Before(x.at)
}

func (h *hearsay) put(base string, x heard) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == nil || len(h.at) >= mostHeard {
		h.at = map[string]heard{}
	}
	h.at[base] = x
}

func (h *hearsay) drop(base string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.at, base)
}

// hearAt is what the node at a URL says of itself: now, or within the last hour.
func (f *Federation) hearAt(ctx context.Context, base string) (x heard, fresh bool, err error) {
	if x, ok := f.hearsay.get(base, f.Now()); ok {
		return x, false, nil
	}
	x.at = f.Now()
	if x.said, x.by, err = f.descriptorAt(ctx, base); err == nil {
		f.hearsay.put(base, x)
	}
	return x, true, err
}

// speaks finds what this node and a member have in common: the latest version of the API
// that both speak, and the latest format of messages that both read. Errors: Unsupported
// (they have none), and those of asking.
func (f *Federation) speaks(ctx context.Context, m genesis.Member) (protocol, error) {
	x, fresh, err := f.hearAt(ctx, m.URL)
	if err == nil && !fresh && !x.isOf(m, f.Now()) { // its keys, or who is there, may be others since
		f.hearsay.drop(m.URL)
		x, _, err = f.hearAt(ctx, m.URL)
	}
	if err != nil {
		return protocol{}, err
	}
	if !x.isOf(m, f.Now()) {
		f.hearsay.drop(m.URL)
		return protocol{}, refusal("ask node", genesis.Unavailable, string(m.ID), "who answers at "+m.URL+" describes itself as another node, or with a key that the charter does not have of it", "")
	}
	return f.common(x.said)
}

// speaksAt is speaks with whoever answers at a URL. It is for what does not depend on who
// that is: the charter and what is signed for it are checked by themselves, and who joins
// or lags behind does not know the keys of others.
func (f *Federation) speaksAt(ctx context.Context, base string) (protocol, error) {
	x, _, err := f.hearAt(ctx, base)
	if err != nil {
		return protocol{}, err
	}
	return f.common(x.said)
}

// common is the latest that this node and another have.
func (f *Federation) common(d genesis.Descriptor) (protocol, error) {
	p := protocol{first(f.Speaks.APIs, d.APIs), first(f.Speaks.Formats, d.Entries)}
	if p.api != "" && p.format != 0 {
		return p, nil
	}
	return p, &genesis.Error{Op: "ask node", Kind: genesis.Unsupported, Subject: line(string(d.Node)),
		Msg: fmt.Sprintf("it runs genesis %s, which speaks %s, and this node %s, which speaks %s: they have nothing in common", line(d.Software.Version),
			line(spoken(d.APIs, d.Entries)), genesis.Build().Version, spoken(f.Speaks.APIs, f.Speaks.Formats)),
		Hint: "the older of both has to be updated: each release speaks with the one before"}
}

// speaksOtherwise reports whether a member that does not know what it was asked speaks
// something else by now: it may have gone back to the release before. Where nothing older
// is left to speak, it is not asked.
func (f *Federation) speaksOtherwise(ctx context.Context, m genesis.Member, was protocol) bool {
	oldest := protocol{f.Speaks.APIs[len(f.Speaks.APIs)-1], f.Speaks.Formats[len(f.Speaks.Formats)-1]}
	if was == oldest {
		return false
	}
	f.hearsay.drop(m.URL)
	now, err := f.speaks(ctx, m)
	return err != nil || now != was
}

func spoken(apis []string, formats []int) string {
	return fmt.Sprintf("API %s and formats %s", strings.Join(apis, ", "), strings.Trim(fmt.Sprint(formats), "[]"))
}

// first is the first of one's own that the other has, too; own are best first.
func first[T comparable](own, other []T) (one T) {
	for _, x := range own {
		if slices.Contains(other, x) {
			return x
		}
	}
	return one
}
