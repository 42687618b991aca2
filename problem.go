package genesis

import (
	"context"
	"errors"
	"net/http"
	"unicode/utf8"
)

// Problem is an [Error] as it is sent over HTTP: problem details of RFC 9457,
// application/problem+json, with the fields of Error as extension members.
type Problem struct {
	Type    string    `json:"type"`   // "urn:genesis:error:" and the kind
	Title   string    `json:"title"`  // the kind in words
	Status  int       `json:"status"` // as the HTTP status
	Detail  string    `json:"detail"` // the whole error in one line
	Kind    ErrorKind `json:"kind"`
	Op      string    `json:"op,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Message string    `json:"message,omitempty"`
	Hint    string    `json:"hint,omitempty"`
	Value   string    `json:"value,omitempty"`   // an offending cell value, for readers only
	Code    PeerCode  `json:"code,omitempty"`    // why somebody is not taken for who they say they are
	Request string    `json:"request,omitempty"` // id of the request, as in the node's log
}

// What was sent is repeated in errors, and kept with them: of long texts the beginning.
const (
	maxEcho = 1000
	maxText = 4000
)

// cut shortens a text to at most n bytes and an ellipsis, at the end of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// ProblemOf returns err as it may be told to a caller who may know that its
// subject exists. Value is left out unless mayRead, and so is the cause, which
// is told only where there is no message. [Private] becomes [NotFound], and
// both say the same.
func ProblemOf(err error, mayRead bool) Problem {
	e := asError(err)
	shown := *e
	shown.Err = nil
	if shown.Msg == "" {
		shown.Msg = unexplained(e, mayRead)
	}
	for text, most := range map[*string]int{&shown.Subject: maxEcho, &shown.Value: maxEcho, &shown.Msg: maxText, &shown.Hint: maxText} {
		*text = cut(*text, most)
	}
	if e.Kind == Private || e.Kind == NotFound && !mayRead {
		shown = Error{Op: e.Op, Kind: NotFound, Subject: shown.Subject, Msg: "is not here, or not for you to see"}
	}
	p := Problem{
		Type:    "urn:genesis:error:" + string(shown.Kind),
		Title:   http.StatusText(shown.Kind.HTTPStatus()),
		Status:  shown.Kind.HTTPStatus(),
		Detail:  shown.Error(),
		Kind:    shown.Kind,
		Op:      shown.Op,
		Subject: shown.Subject,
		Message: shown.Msg,
		Hint:    shown.Hint,
		Code:    shown.Code,
	}
	if p.Code != "" && p.Kind == Permission { // who asks is not known, whatever they may
		p.Status, p.Title = http.StatusUnauthorized, http.StatusText(http.StatusUnauthorized)
	}
	if p.Title == "" {
		p.Title = string(shown.Kind)
	}
	if mayRead {
		p.Value = shown.Value
	}
	return p
}

// Text returns the problem as a message alone says it: the error in one line, and
// what to do about it in the next.
func (p Problem) Text() string {
	if p.Hint == "" {
		return p.Detail
	}
	return p.Detail + "\n" + p.Hint
}

// unexplained stands in for the message of an error that has none.
func unexplained(e *Error, mayRead bool) string {
	if mayRead && e.Err != nil {
		return e.Err.Error()
	}
	if e.Kind == Internal {
		return "internal error; the node's log has the cause"
	}
	return string(e.Kind)
}

// asError finds the *Error in err's chain. What is none of ours is Internal,
// unless a context that ended explains it.
func asError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e) && e.Kind != Internal:
		return e
	case errors.Is(err, context.Canceled):
		return &Error{Kind: Canceled, Msg: "canceled", Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: Unavailable, Msg: "took too long", Err: err}
	}
	if e != nil {
		return e
	}
	return &Error{Kind: Internal, Err: err}
}

// Err returns the problem as the error it was made from.
func (p Problem) Err() *Error {
	e := &Error{Op: p.Op, Kind: p.Kind, Subject: p.Subject, Msg: p.Message, Hint: p.Hint, Value: p.Value, Code: p.Code}
	if e.Kind == "" {
		e.Kind = kindOfStatus(p.Status)
	}
	if e.Msg == "" {
		e.Msg = p.Detail
	}
	return e
}

// kindOfStatus is for problems that something between client and node made up.
func kindOfStatus(status int) ErrorKind {
	switch {
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusGone:
		return Gone
	case status == http.StatusConflict:
		return Conflict
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return Permission
	case status == http.StatusServiceUnavailable || status == http.StatusBadGateway:
		return Unavailable
	case status == http.StatusNotImplemented:
		return Unsupported
	case status >= 400 && status < 500:
		return Invalid
	}
	return Internal
}
