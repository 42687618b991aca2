package apidoc

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

const small = `{"openapi":"3.1.0","info":{"title":"Node <b>","version":"1","description":"Does things."},
"paths":{"/v1/versions/{ref}":{"get":{"operationId":"describe","summary":"Everything about one version",
  "parameters":[{"name":"ref","in":"path","required":true,"schema":{"type":"string","maxLength":300}},{"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":9,"default":5}}],
  "responses":{"200":{"description":"OK","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Description"}}}}}}},
 "/v1/assets":{"post":{"operationId":"make","summary":"<script>alert(1)</script>","requestBody":{"content":{"application/json":{"schema":{"type":"array","items":{"$ref":"#/components/schemas/Description"}}}}}}}},
"components":{"schemas":{"Description":{"type":"object","required":["name"],"properties":{"name":{"type":["string","null"],"enum":["a","b"],"description":"what it is called"},
  "more":{"type":"object","additionalProperties":{"$ref":"#/components/schemas/Description"}}, "plain":{"type":"object","additionalProperties":false}, "at":{"type":"string","format":"date-time"},"any":{}}}}}}`

func TestRender(t *testing.T) {
	b, err := Render([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{
		`<h3 id="op-describe"><span class="method">GET</span> <code>/v1/versions/{ref}</code></h3>`,
		"at most 300 characters", "at least 1; at most 9; default 5", `<a href="#type-Description">Description</a>`,
		`list of <a href="#type-Description">`, `object of <a href="#type-Description">`, "what it is called (one of a, b)",
		"string (date-time)", "<td>object</td>", "<td>anything</td>", "Node &lt;b&gt;", "&lt;script&gt;", `<code>name</code> <span class="required">required</span>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Index(page, `id="assets"`) > strings.Index(page, `id="versions"`) {
		t.Error("groups are not in order")
	}
	if _, err := Render([]byte("{")); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("%v", err)
	}
}

// TestPageIsSelfContained: nothing inline, nothing from elsewhere; every link
// within the page leads somewhere, and no two things have one id.
func TestPageIsSelfContained(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(func() ([]byte, error) { return []byte(small), nil }).ServeHTTP(w, httptest.NewRequest("GET", Page, nil))
	page := w.Body.String()
	for _, bad := range []string{"<script", "style=", "onclick", "//cdn", "http://", "https://"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	csp := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'; style-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is %s", csp)
	}
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]]++; ids[m[1]] > 1 {
			t.Errorf("the id %s is there twice", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] == 0 {
			t.Errorf("a link leads to %s, which is nowhere", m[1])
		}
	}
}

func TestStyle(t *testing.T) {
	w := httptest.NewRecorder()
	StyleSheet(w, httptest.NewRequest("GET", Style, nil))
	if css := w.Body.String(); !strings.Contains(css, "light-dark(") || !strings.Contains(css, "color-scheme: light dark") || strings.Contains(css, "url(") || strings.Contains(css, "@import") {
		t.Error(css)
	}
	if got := w.Header().Get("Content-Type"); got != "text/css; charset=utf-8" {
		t.Error(got)
	}
}
