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

// hearsay is what other nodes said that they speak.
type hearsay struct {
	mu sync.Mutex
	of map[genesis.NodeID]heard
}

type heard struct {
	said genesis.Descriptor
	at   time.Time
}

func (h *hearsay) get(id genesis.NodeID, now time.Time) (heard, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x, ok := h.of[id]
	return x, ok && now.Sub(x.at) < heardFor && !now.Before(x.at)
}

func (h *hearsay) put(id genesis.NodeID, x heard) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil || len(h.of) >= mostHeard {
		h.of = map[genesis.NodeID]heard{}
	}
	h.of[id] = x
}

// descriptorOf is what a member says of itself, signed with a key that the charter has of
// it. It is asked once an hour.
func (f *Federation) descriptorOf(ctx context.Context, m genesis.Member) (genesis.Descriptor, error) {
	if x, ok := f.hearsay.get(m.ID, f.Now()); ok {
		return x.said, nil
	}
	d, err := f.descriptorAt(ctx, m.URL)
	if err == nil && (d.Node != m.ID || !slices.ContainsFunc(d.Keys, func(k genesis.NodeKey) bool { return signsFor(m, k, f.Now()) })) {
		err = refusal("ask node", genesis.Unavailable, string(m.ID), "who answers at "+m.URL+" describes itself as another node", "")
	}
	if err == nil {
		f.hearsay.put(m.ID, heard{d, f.Now()})
	}
	return d, err
}

// signsFor reports whether a key is one with which a member signs what it says.
func signsFor(m genesis.Member, k genesis.NodeKey, at time.Time) bool {
	_, ok := m.Key(genesis.KeyMessage, k.ID, at)
	return ok && k.Use == genesis.KeyMessage && genesis.KeyID(k.Public) == k.ID
}

// speaks finds what this node and a member have in common: the latest version of the API
// that both speak, and the latest format of entries and messages that both read. Errors:
// Unsupported (they have none), and those of asking.
func (f *Federation) speaks(ctx context.Context, m genesis.Member) (api string, format int, err error) {
	d, err := f.descriptorOf(ctx, m)
	if err != nil {
		return "", 0, err
	}
	api, format = common(f.Speaks.APIs, d.APIs), common(f.Speaks.Formats, d.Entries)
	if api != "" && format != 0 {
		return api, format, nil
	}
	return "", 0, &genesis.Error{Op: "ask node", Kind: genesis.Unsupported, Subject: string(m.ID),
		Msg: fmt.Sprintf("it runs genesis %s, which speaks %s, and this node %s, which speaks %s: they have nothing in common", line(d.Software.Version),
			line(spoken(d.APIs, d.Entries)), genesis.Build().Version, spoken(f.Speaks.APIs, f.Speaks.Formats)),
		Hint: "the older of both has to be updated: each release speaks with the one before"}
}

func spoken(apis []string, formats []int) string {
	return fmt.Sprintf("API %s and formats %s", strings.Join(apis, ", "), strings.Trim(fmt.Sprint(formats), "[]"))
}

// common is the first of one's own that the other has, too; own are best first.
func common[T comparable](own, other []T) (one T) {
	for _, x := range own {
		if slices.Contains(other, x) {
			return x
		}
	}
	return one
}
