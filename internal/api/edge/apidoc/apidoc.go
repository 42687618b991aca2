// Package apidoc shows an OpenAPI 3.1 document to people: one page of HTML,
// made from the document itself with html/template, so that the two cannot
// differ. The page needs no script and nothing from elsewhere; it is one of the
// few of a node that a browser opens, so it allows itself one style sheet and
// nothing more.
package apidoc

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"sync"

	"github.com/opengenesis/genesis"
)

// Page is where the page lies, Style its style sheet.
const (
	Page  = "/docs"
	Style = "/docs/style.css"
)

//go:embed page.html style.css
var files embed.FS

var pageTemplate = template.Must(template.ParseFS(files, "page.html"))

// Handler answers with the page for the JSON document that doc returns. It is
// made once, when somebody asks.
func Handler(doc func() ([]byte, error)) http.Handler {
	page := sync.OnceValues(func() ([]byte, error) {
		text, err := doc()
		if err != nil {
			return nil, err
		}
		return Render(text)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b, err := page()
		if err != nil {
			http.Error(w, "the document cannot be shown", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		_, _ = w.Write(b)
	})
}

// StyleSheet answers with the page's style.
func StyleSheet(w http.ResponseWriter, _ *http.Request) {
	b, _ := files.ReadFile("style.css") // it is in the program
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(b)
}

// Render returns the page for a document. Errors: Internal (no such document).
func Render(text []byte) ([]byte, error) {
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, &genesis.Error{Op: "show API", Kind: genesis.Internal, Msg: "the document is not OpenAPI 3.1", Err: err}
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, doc.page()); err != nil {
		return nil, &genesis.Error{Op: "show API", Kind: genesis.Internal, Msg: "the page cannot be made", Err: err}
	}
	return out.Bytes(), nil
}
