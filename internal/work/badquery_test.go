package work

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestBadQueryHidesNobody: what is no query is refused before any node is asked it, and a
// node that says so of one is asked the next: nobody's query takes a node's answers from
// others.
func TestBadQueryHidesNobody(t *testing.T) {
	answers := map[genesis.ErrorKind]genesis.NodeID{genesis.Invalid: "older", genesis.NotFound: "bare", genesis.Gone: "gone", genesis.Conflict: "busy"}
	o := &others{asked: map[genesis.NodeID][]string{}, say: map[genesis.NodeID]func(context.Context) (io.ReadCloser, error){
		"good": says(1, elsewhere("good", "wind", "Wind of others")),
	}}
	for kind, node := range answers {
		o.say[node] = func(context.Context) (io.ReadCloser, error) {
			return nil, &genesis.Error{Op: "ask node", Kind: kind, Subject: "https://" + string(node), Msg: `it says: search "national": is no tier`}
		}
	}
	l := openLibrary(t, 1)
	l.Service, _ = OpenTest(t, func(c *Config) { c.Peers, c.Charter = o, o.charter() })
	l.add("own")
	ada, eve := genesis.Principal{Subject: "ada", Node: "here"}, genesis.Principal{Subject: "eve", Node: "here"}

	for what, q := range map[string]genesis.SearchQuery{
		`"publik": is no tier`:    {Filter: genesis.SearchFilter{Values: map[genesis.Facet][]string{genesis.FacetTier: {"publik"}}}},
		`"colour": is no facet`:   {Facets: []genesis.Facet{"colour"}},
		"the query has 40 words":  {Text: `"` + strings.Repeat("a ", 40) + `"`},
		"the place is no box":     {Filter: genesis.SearchFilter{Place: &genesis.Box{South: 91, North: 92}}},
		"the query has 5000 byte": {Text: strings.Repeat("x", 5000)},
	} {
		local := q
		local.Local = true
		_, want := l.Search(t.Context(), eve, local)
		_, err := l.Search(t.Context(), eve, q)
		if genesis.KindOf(err) != genesis.Invalid || want == nil || err.Error() != want.Error() || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v, and locally %v", what, err, want)
		}
	}
	if len(o.asked) != 0 {
		t.Errorf("nodes were asked what is no query: %v", o.asked)
	}

	for n := 1; n <= 2; n++ {
		r, err := l.Search(t.Context(), ada, genesis.SearchQuery{Text: "wind"})
		if err != nil || r.Total != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		for _, c := range r.Coverage {
			if c.Node == "here" || c.Node == "good" {
				continue
			}
			if len(o.asked[c.Node]) != n || !c.Asked || c.Answered || !strings.Contains(c.Reason, "is no tier") {
				t.Errorf("%s was asked %d times: %+v", c.Node, len(o.asked[c.Node]), c)
			}
		}
	}

	// A name of more words than a query may have is not asked for by itself.
	long := strings.Join(strings.Split("abcdefghijklmnopqrstuvwxyz012345", ""), "-")
	if _, err := l.Similar(t.Context(), eve, "good/"+long, 0); genesis.KindOf(err) != genesis.NotFound {
		t.Error(err)
	}
	for _, asked := range o.asked["good"] {
		if strings.Contains(asked, "%22") {
			t.Errorf("good was asked %q", asked)
		}
	}
}
