package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
)

var update = flag.Bool("update", false, "rewrite testdata/routes.txt")

// componentName is what the specification lets names of components be (OpenAPI 3.1.1,
// section 4.8.7).
var componentName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// TestOpenAPI holds the document against the routes and checks that what it
// refers to is in it.
func TestOpenAPI(t *testing.T) {
	_, b, _ := do(t, "GET", serve(t, &fake{}, nil, &steward).URL+"/openapi.json", "")
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]struct{ OperationID, Summary string }
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("openapi is %q", doc.OpenAPI)
	}
	list, err := os.ReadFile("testdata/routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(list)), "\n")
	var got []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			got = append(got, strings.ToUpper(method)+" "+path)
			if op.OperationID == "" || op.Summary == "" {
				t.Errorf("%s %s has no id or summary", method, path)
			}
		}
	}
	sort.Strings(got)
	if *update {
		if err := os.WriteFile("testdata/routes.txt", []byte(strings.Join(got, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		want = got
	}
	spoken := map[string]bool{}
	for _, route := range got {
		if _, path, _ := strings.Cut(route, " /"); !strings.HasPrefix(path, ".well-known/") {
			api, _, _ := strings.Cut(path, "/")
			spoken[api] = true
		}
	}
	for api := range spoken { // other nodes are told so, and ask for nothing else
		if !slices.Contains(genesis.Spoken.APIs, api) {
			t.Errorf("routes of %s are served, and genesis.Spoken does not say so", api)
		}
	}
	for _, api := range genesis.Spoken.APIs {
		if !spoken[api] {
			t.Errorf("genesis.Spoken says %s, of which there are no routes", api)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes, -want +got:\n%s", diff)
	}
	for name := range doc.Components.Schemas {
		if !componentName.MatchString(name) {
			t.Errorf("a schema is named %q", name)
		}
	}
	for _, ref := range refsIn(b) {
		if _, ok := doc.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]; !ok {
			t.Errorf("the document refers to %s, which is not in it", ref)
		}
	}
	for _, name := range []string{"PrepareRequest", "LinePrepared", "Description", "Problem", "Refusal"} {
		if _, ok := doc.Components.Schemas[name]; !ok {
			t.Errorf("there is no schema %s", name)
		}
	}
}

// refsIn returns every $ref of a JSON document.
func refsIn(b []byte) (refs []string) {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"]; ok {
				refs = append(refs, fmt.Sprint(ref))
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	var doc any
	_ = json.Unmarshal(b, &doc)
	walk(doc)
	return refs
}

// TestDocsShowEveryRoute: the page for people has every operation and schema of
// the document.
func TestDocsShowEveryRoute(t *testing.T) {
	srv := serve(t, &fake{}, nil, &steward)
	_, b, _ := do(t, "GET", srv.URL+"/openapi.json", "")
	resp, page, _ := do(t, "GET", srv.URL+"/", "") // which leads to /docs
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	var doc struct {
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	for _, methods := range doc.Paths {
		for _, op := range methods {
			if !strings.Contains(string(page), `id="op-`+op.OperationID+`"`) {
				t.Errorf("the page does not show %s", op.OperationID)
			}
		}
	}
	for name := range doc.Components.Schemas {
		if !strings.Contains(string(page), `id="type-`+name+`"`) {
			t.Errorf("the page does not show %s", name)
		}
	}
}

// TestCreatingRoutesTakeKeys: what makes something says so, in the document and to
// the edge.
func TestCreatingRoutesTakeKeys(t *testing.T) {
	_, b, _ := do(t, "GET", serve(t, &fake{}, nil, &steward).URL+"/openapi.json", "")
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			Parameters  []struct{ Name string }
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, methods := range doc.Paths {
		for _, op := range methods {
			for _, p := range op.Parameters {
				if p.Name == "Idempotency-Key" {
					got = append(got, op.OperationID)
				}
			}
		}
	}
	sort.Strings(got)
	if diff := cmp.Diff(strings.Fields(`approve ask confirm-totp create-account create-federation create-token create-upload deny end-project erase
		grant invite log-model lower predict prepare publish pull request-vetting say setup-totp submit-run train vet withdraw withdraw-request`), got); diff != "" {
		t.Error(diff)
	}
}

// TestUnknownVersion: whoever asks in a version of the API that is not spoken here is told
// which one is.
func TestUnknownVersion(t *testing.T) {
	w := httptest.NewRecorder()
	edge.NotFound(w, httptest.NewRequest(http.MethodGet, "/v9/logs", nil))
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "speaks v1") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
