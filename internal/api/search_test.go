package api

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
)

// TestSearchParameters: what a client writes is what the service is asked; pages go on, and
// a cursor of one list is none of another.
func TestSearchParameters(t *testing.T) {
	var got genesis.SearchQuery
	srv := serve(t, &fake{search: func(q genesis.SearchQuery) (*genesis.SearchResult, error) {
		got = q
		return &genesis.SearchResult{Hits: []genesis.Hit{}, Next: "after 7", Coverage: []genesis.NodeCoverage{}}, nil
	}}, nil, &steward)
	has := false
	want := genesis.SearchQuery{Text: `wind "power curve" m/s`, Facets: []genesis.Facet{"field", "unit"}, Values: 7, Limit: 3, Local: true, Own: true,
		Filter: genesis.SearchFilter{
			Values: map[genesis.Facet][]string{genesis.FacetNode: {"nrel"}, genesis.FacetInstitution: {"A, Inc.", "B"}, genesis.FacetField: {"energy"}, genesis.FacetKind: {"dataset"},
				genesis.FacetTier: {"public"}, genesis.FacetLicense: {"CC-BY-4.0"}, genesis.FacetReadiness: {"ready"}, genesis.FacetChallenge: {"grid"},
				genesis.FacetFormat: {"csv"}, genesis.FacetTask: {"regression"}, genesis.FacetUnit: {"m/s", "W/m2"}},
			Variables: []genesis.VariableFilter{{Name: "wind_speed", Unit: "m/s"}, {Name: "power"}, {Name: "a:b"}},
			MinRows:   10, MaxRows: 20, Time: genesis.Period{Start: time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2018, 12, 31, 0, 0, 0, 0, time.UTC)},
			Place: &genesis.Box{West: -106, South: 39, East: -105, North: 40.5}, HasModel: &has,
		}}
	ask := func(p url.Values) (string, int) {
		resp, b, _ := do(t, "GET", srv.URL+"/v1/search?"+p.Encode(), "")
		return string(b), resp.StatusCode
	}
	body, status := ask(want.Params())
	if diff := cmp.Diff(want, got); status != 200 || diff != "" {
		t.Fatalf("%d %s (-sent +asked):\n%s", status, body, diff)
	}
	_, next, _ := strings.Cut(body, `"next":"`)
	next, _, _ = strings.Cut(next, `"`)
	want.After = next
	if _, status := ask(want.Params()); status != 200 || got.After != "after 7" || next == "after 7" {
		t.Errorf("%d, the page after is asked with %q", status, got.After)
	}
	if resp, _, _ := do(t, "GET", srv.URL+"/v1/assets?after="+next, ""); resp.StatusCode == 200 {
		t.Error("the cursor is one of another list")
	}
	for _, bad := range []string{"time=never", "place=here", "limit=201", "min_rows=-1", "q=" + strings.Repeat("a", 4001), "after=x"} {
		if resp, b, _ := do(t, "GET", srv.URL+"/v1/search?"+bad, ""); resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("%.40s: %s %s", bad, resp.Status, b)
		}
	}
}
