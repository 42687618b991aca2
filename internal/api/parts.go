package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
)

// Conditions say which part of stored bytes a request is for, and under which conditions
// (RFC 9110, sections 13 and 14). (It is exported because huma fills only exported
// fields, embedded ones too.)
type Conditions struct {
	Range       string `header:"Range" doc:"one part: bytes=0-999"`
	IfRange     string `header:"If-Range" doc:"the ETag for which a part is wanted: for another one, the whole is sent"`
	IfMatch     string `header:"If-Match" doc:"ETags for which bytes are wanted at all"`
	IfNoneMatch string `header:"If-None-Match" doc:"ETags for which no bytes are wanted: the caller has them"`
}

// Resolve joins the fields that are lists and came in several lines.
func (in *Conditions) Resolve(hc huma.Context) []error {
	var match, none []string
	hc.EachHeader(func(name, value string) {
		switch http.CanonicalHeaderKey(name) {
		case "If-Match":
			match = append(match, value)
		case "If-None-Match":
			none = append(none, value)
		}
	})
	in.IfMatch, in.IfNoneMatch = strings.Join(match, ","), strings.Join(none, ",")
	return nil
}

// inParts says what else an operation on stored bytes answers.
func inParts(o huma.Operation) huma.Operation {
	o.Responses = map[string]*huma.Response{
		"206": {Description: "The part that Range asks for, which Content-Range names."},
		"304": {Description: "If-None-Match names the bytes as they are."},
		"412": {Description: "If-Match does not name the bytes as they are."},
		"416": {Description: "The range lies behind the end; Content-Range has the size."},
	}
	return o
}

// heed makes c, which is all of r, what a request asks for: nothing, where its conditions
// say so, else the part that it names, if r can be read at any offset.
func (c *content) heed(in Conditions, r io.Closer) error {
	switch edge.Precondition(in.IfMatch, in.IfNoneMatch, c.Tag) {
	case http.StatusPreconditionFailed:
		r.Close()
		c.refuse(http.StatusPreconditionFailed, edge.Changed())
		return nil
	case http.StatusNotModified:
		c.Status, c.Type, c.Size, c.Name = http.StatusNotModified, "", -1, ""
		c.Write = func(io.Writer) error { return nil }
		return r.Close()
	}
	at, ok := r.(io.ReaderAt)
	if !ok || in.IfRange != "" && in.IfRange != c.Tag {
		return nil
	}
	part, err := edge.ParseRange(in.Range, c.Size)
	switch {
	case err != nil:
		r.Close()
		c.Range = edge.Unsatisfied(c.Size)
		c.refuse(http.StatusRequestedRangeNotSatisfiable, err)
	case part != nil:
		c.Range, c.Size = part.Content(c.Size), part.Length
		c.Write = copied(r, io.NewSectionReader(at, part.Offset, part.Length))
	}
	return nil
}

// refuse makes c a problem with a status that its kind does not have.
func (c *content) refuse(status int, err error) {
	p := genesis.ProblemOf(err, true)
	p.Status, p.Title = status, http.StatusText(status)
	c.Status, c.Type, c.Name, c.Tag, c.Size = status, "application/problem+json", "", "", -1
	c.Write = func(w io.Writer) error { return json.NewEncoder(w).Encode(p) }
}
