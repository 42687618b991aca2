package work

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
)

// others are nodes that answer as a test has it.
type others struct {
	mu    sync.Mutex
	say   map[genesis.NodeID]func(context.Context) (io.ReadCloser, error)
	asked map[genesis.NodeID][]string // by whom, and for what
}

func (o *others) charter() access.Charter {
	all := []genesis.Member{{ID: "here"}}
	for _, id := range slices.Sorted(maps.Keys(o.say)) {
		all = append(all, genesis.Member{ID: id})
	}
	return access.Chartered(all...)
}

func (o *others) Get(ctx context.Context, who genesis.Principal, node genesis.NodeID, path string, _ http.Header) (*http.Response, error) {
	o.mu.Lock()
	o.asked[node] = append(o.asked[node], string(who.Person())+" "+path)
	o.mu.Unlock()
	body, err := o.say[node](ctx)
	return &http.Response{Body: body}, err
}

// says is a node that tells of listings.
func says(total int, all ...genesis.Listing) func(context.Context) (io.ReadCloser, error) {
	r := genesis.SearchResult{Total: max(total, len(all)), Facets: map[genesis.Facet][]genesis.FacetCount{"field": {{Value: "lies", Hits: 1_000_000}}}}
	for _, l := range all {
		r.Hits = append(r.Hits, genesis.Hit{Listing: l, Score: 1_000_000, Snippet: "click here"})
	}
	text, _ := json.Marshal(r)
	return sends(string(text))
}

func sends(text string) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

func elsewhere(node genesis.NodeID, name genesis.Name, title string) genesis.Listing {
	return genesis.Listing{Format: genesis.ListingFormat, Node: node, Name: name, Version: genesis.DigestOf([]byte(node + "/" + genesis.NodeID(name))), Number: 1,
		Kind: genesis.Dataset, Title: title, Field: "energy", Published: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// silent never answers.
type silent struct{ ctx context.Context }

func (s silent) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }
func (silent) Close() error               { return nil }

// endless never ends.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return copy(b, strings.Repeat(" ", len(b))), nil }
func (endless) Close() error               { return nil }

// TestOtherNodes: what others tell is counted and ranked here; one that lies, stalls or
// floods costs nothing but its own hits, and the answer says so.
func TestOtherNodes(t *testing.T) {
	flood := make([]genesis.Listing, 201)
	for i := range flood {
		flood[i] = elsewhere("flood", genesis.Name(fmt.Sprint("n", i)), "wind")
	}
	newer := elsewhere("newer", "a", "wind")
	newer.Format = 99
	broken := elsewhere("broken", "a", "wind")
	broken.Version = "sha256:none"
	box := elsewhere("box", "a", "wind")
	box.Place = &genesis.Box{South: 91, North: 92}
	o := &others{asked: map[genesis.NodeID][]string{}, say: map[genesis.NodeID]func(context.Context) (io.ReadCloser, error){
		"good":    says(1, elsewhere("good", "wind", "Wind of others")),
		"more":    says(5000, elsewhere("more", "wind", "Wind of many"), elsewhere("more", "sun", "no match at all")),
		"foreign": says(1, elsewhere("good", "stolen", "wind")),
		"flood":   says(201, flood...),
		"newer":   says(1, newer),
		"broken":  says(1, broken),
		"box":     says(1, box),
		"words":   sends("not JSON"),
		"endless": func(context.Context) (io.ReadCloser, error) { return endless{}, nil },
		"silent":  func(ctx context.Context) (io.ReadCloser, error) { return silent{ctx}, nil },
		"dead": func(ctx context.Context) (io.ReadCloser, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"refuses": func(context.Context) (io.ReadCloser, error) {
			return nil, &genesis.Error{Op: "ask node", Kind: genesis.Permission, Msg: "not for you"}
		},
	}}
	l := openLibrary(t, 1)
	l.Service, _ = OpenTest(t, func(c *Config) { c.Peers, c.Charter = o, o.charter() })
	l.add("own")
	ada := genesis.Principal{Subject: "ada", Node: "here", Duties: []genesis.Duty{genesis.DutySteward}}
	q := genesis.SearchQuery{Text: "wind", Facets: []genesis.Facet{genesis.FacetField, genesis.FacetNode}}
	began := time.Now()
	r, err := l.Search(t.Context(), ada, q)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	var found []string
	for _, h := range r.Hits {
		found = append(found, h.Ref)
		if h.Score > 10_000 || h.Snippet == "click here" {
			t.Errorf("a node ranks or shows its own hits: %+v", h)
		}
	}
	slices.Sort(found)
	if fmt.Sprint(found) != "[good/wind@1 more/wind@1 own]" || r.Total != 3 {
		t.Errorf("found %v, %d", found, r.Total)
	}
	n := 0
	for _, c := range r.Facets[genesis.FacetNode] {
		n += c.Hits
	}
	if n != 3 || len(r.Facets[genesis.FacetField]) == 0 || r.Facets[genesis.FacetField][0].Value == "lies" {
		t.Errorf("facets %+v", r.Facets)
	}
	said := map[genesis.NodeID]genesis.NodeCoverage{}
	for _, c := range r.Coverage {
		said[c.Node] = c
	}
	if len(said) != 13 || r.Coverage[0].Node != "here" || !said["good"].Answered || said["good"].Reason != "" {
		t.Errorf("coverage %+v", r.Coverage)
	}
	if m := said["more"]; !m.Answered || !strings.Contains(m.Reason, "2 of 5000") {
		t.Errorf("more: %+v", m)
	}
	for _, id := range []genesis.NodeID{"foreign", "flood", "newer", "broken", "box", "words", "endless", "silent", "dead", "refuses"} {
		if c := said[id]; !c.Asked || c.Answered || c.Reason == "" {
			t.Errorf("%s: %+v", id, c)
		}
	}

	// Those that did not answer are left alone for a while; what is for the person alone is
	// asked again. (That they did not is noted a moment after the answer went out without them.)
	time.Sleep(300 * time.Millisecond)
	began = time.Now()
	again, err := l.Search(t.Context(), ada, q)
	if err != nil || again.Total != 3 || time.Since(began) > time.Second {
		t.Errorf("again: %v, %v", err, time.Since(began))
	}
	if len(o.asked["dead"]) != 1 || len(o.asked["refuses"]) != 2 || len(o.asked["good"]) != 2 || o.asked["good"][0] != "here/ada /search?limit=200&own=true&q=wind" {
		t.Errorf("asked: %v", o.asked)
	}

	// Nobody else is asked for: who is not of here, not signed in, or narrowed; and when not asked to.
	for _, who := range []genesis.Principal{{}, {Subject: "eve", Node: "mit"}, {Subject: "ada", Node: "here", Scopes: []genesis.Scope{"read:own"}}} {
		r, err := l.Search(t.Context(), who, q)
		if err != nil || r.Total != 0 && who.Scopes == nil {
			t.Errorf("%+v: %+v, %v", who, r, err)
		}
	}
	q.Local = true
	if r, err := l.Search(t.Context(), ada, q); err != nil || r.Total != 1 {
		t.Errorf("local: %+v, %v", r, err)
	}
	if len(o.asked["good"]) != 2 {
		t.Errorf("asked: %v", o.asked["good"])
	}
}

// TestLogThereIsWhole: the log of a run at another node comes whole or not at all; a node
// that goes on and on, or breaks off, is no log that is a little shorter.
func TestLogThereIsWhole(t *testing.T) {
	o := &others{asked: map[genesis.NodeID][]string{}, say: map[genesis.NodeID]func(context.Context) (io.ReadCloser, error){
		"whole":   sends(strings.Repeat("x", maxRemoteLog)),
		"endless": sends(strings.Repeat("x", maxRemoteLog+1)),
		"broken": func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
		},
	}}
	s := &Service{Config: Config{Node: "here", Peers: o}}
	for node, want := range map[genesis.NodeID]string{"whole": "", "endless": "longer than", "broken": "broke off"} {
		body, size, err := s.logThere(t.Context(), genesis.Principal{Subject: "ada"}, genesis.Run{ID: "r", At: node})
		if want == "" {
			if err != nil || size != maxRemoteLog {
				t.Errorf("%s: %d bytes, %v", node, size, err)
			}
			continue
		}
		if genesis.KindOf(err) != genesis.Unavailable || !strings.Contains(err.Error(), want) || body != nil {
			t.Errorf("%s: %d bytes, %v", node, size, err)
		}
	}
}

// TestSimilarElsewhere: what is like something is looked for in what others tell, too, and
// so is the thing itself, for those alone to whom they tell it.
func TestSimilarElsewhere(t *testing.T) {
	with := func(l genesis.Listing) genesis.Listing {
		l.Variables = []genesis.Listed{{Name: "wind_speed", Unit: "m/s"}, {Name: "active_power", Unit: "kW"}}
		return l
	}
	o := &others{asked: map[genesis.NodeID][]string{}, say: map[genesis.NodeID]func(context.Context) (io.ReadCloser, error){
		"good":  says(1, with(elsewhere("good", "hid", "Turbines"))),
		"other": says(900, with(elsewhere("other", "like", "Mills")), elsewhere("other", "unlike", "Corn")),
		"lies":  says(1, with(elsewhere("good", "stolen", "Turbines"))),
		"away": func(context.Context) (io.ReadCloser, error) {
			return nil, &genesis.Error{Op: "ask node", Kind: genesis.Unavailable, Msg: "the line is cut"}
		},
	}}
	l := openLibrary(t, 1)
	l.Service, _ = OpenTest(t, func(c *Config) { c.Peers, c.Charter = o, o.charter() })
	l.add("own")
	ada := genesis.Principal{Subject: "ada", Node: "here"}
	r, err := l.Similar(t.Context(), ada, "good/hid", 0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Of != "good/hid@1" || len(r.Similar) != 1 || r.Similar[0].Ref != "other/like@1" || len(r.Similar[0].Variables) != 2 {
		t.Errorf("%+v", r)
	}
	want := []string{"here/ada /search?limit=200&own=true", "here/ada /search?limit=200&own=true&q=%22hid%22"}
	if !slices.Equal(o.asked["good"], want) || !slices.Equal(o.asked["other"], want[:1]) {
		t.Errorf("asked %q", o.asked)
	}
	said := map[genesis.NodeID]genesis.NodeCoverage{}
	for _, c := range r.Coverage {
		said[c.Node] = c
	}
	if len(said) != 5 || !said["good"].Answered || !strings.Contains(said["other"].Reason, "2 of 900") || said["lies"].Answered || said["away"].Answered || !strings.Contains(said["away"].Reason, "cut") {
		t.Errorf("coverage %+v", r.Coverage)
	}
	if r, err = l.Similar(t.Context(), ada, "other/like", 0); err != nil || len(r.Similar) != 1 || r.Similar[0].Ref != "good/hid@1" {
		t.Errorf("%+v, %v", r, err)
	}
	for ref, why := range map[string]string{"away/x": "could not be asked: not asked again yet: it cannot be asked: ask node: the line is cut", "good/stolen": "is not in the catalogue", "nobody/x": "is not in the catalogue"} {
		if _, err := l.Similar(t.Context(), ada, ref, 0); genesis.KindOf(err) != genesis.NotFound || !strings.HasSuffix(err.Error(), why) {
			t.Errorf("%s: %v", ref, err)
		}
	}

	// Nobody else is told, nor asked for.
	asked := len(o.asked["good"])
	for _, who := range []genesis.Principal{{}, {Subject: "eve", Node: "mit"}} {
		if r, err := l.Similar(t.Context(), who, "good/hid", 0); genesis.KindOf(err) != genesis.NotFound {
			t.Errorf("%+v: %+v, %v", who, r, err)
		}
	}
	if len(o.asked["good"]) != asked {
		t.Errorf("asked %q", o.asked["good"])
	}
}
