package genesis

import (
	"errors"
	"net/http"
	"strings"
)

// ErrorKind says what sort of thing went wrong, and so how it is shown:
// [ErrorKind.HTTPStatus] and [ErrorKind.GRPCCode] on the wire, [ErrorKind.ExitStatus] in
// a shell.
type ErrorKind string

const (
	Invalid     ErrorKind = "invalid"     // the input is wrong
	NotFound    ErrorKind = "not-found"   // there is no such thing
	Gone        ErrorKind = "gone"        // it was there, and its steward withdrew it
	Exists      ErrorKind = "exists"      // it is already there
	Private     ErrorKind = "private"     // it is there, but not for this caller: shown exactly as NotFound
	Permission  ErrorKind = "permission"  // the caller may know of it but not do this
	Conflict    ErrorKind = "conflict"    // it changed meanwhile, or is in use
	Unavailable ErrorKind = "unavailable" // try again later
	Unsupported ErrorKind = "unsupported" // understood, but not something Genesis does (yet)
	Canceled    ErrorKind = "canceled"    // the caller asked to stop
	Internal    ErrorKind = "internal"    // a defect or a broken disk
)

// Error is the one error type that crosses package boundaries. It reads
//
//	prepare "turbines.csv": row 812, column "wind_speed": "12,x" is not a number
//
// Msg and Hint are safe to show to anyone who may know that Subject exists; a
// cell's value travels in Value and is shown only to those who may read it;
// Err is for the log.
type Error struct {
	Op      string    // what was done: "prepare", "read digest"
	Kind    ErrorKind // what sort of failure
	Subject string    // to what
	Msg     string    // why it failed; lower case, no full stop
	Hint    string    // what to do about it
	Value   string    // an offending cell value, shown only with read
	Code    PeerCode  // why somebody is not taken for who they say they are; sent with 401
	Err     error     // the cause, for the log
}

// Error returns operation, subject and cause in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Subject != "" {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(`"` + e.Subject + `"`)
	}
	msg := e.Msg
	if msg == "" && e.Err != nil {
		msg = e.Err.Error()
	}
	if msg == "" {
		msg = string(e.Kind)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(msg)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error of the same kind, so that
// errors.Is(err, &Error{Kind: NotFound}) asks about the kind alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Op == "" && t.Subject == "" && t.Msg == "" && t.Kind == e.Kind
}

// KindOf returns the kind of the first *Error in err's chain, Internal when
// there is none, and "" for a nil error.
func KindOf(err error) ErrorKind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// HTTPStatus returns the status under which an error of this kind is sent.
func (k ErrorKind) HTTPStatus() int {
	switch k {
	case Invalid:
		return http.StatusUnprocessableEntity
	case NotFound, Private:
		return http.StatusNotFound
	case Gone:
		return http.StatusGone
	case Exists, Conflict:
		return http.StatusConflict
	case Permission:
		return http.StatusForbidden
	case Unavailable:
		return http.StatusServiceUnavailable
	case Unsupported:
		return http.StatusNotImplemented
	case Canceled:
		return 499
	}
	return http.StatusInternalServerError
}

// GRPCCode returns the code under which an error of this kind is sent over gRPC
// (https://grpc.io/docs/guides/status-codes).
func (k ErrorKind) GRPCCode() int {
	switch k {
	case "":
		return 0 // OK
	case Canceled:
		return 1 // CANCELLED
	case Invalid:
		return 3 // INVALID_ARGUMENT
	case NotFound, Private:
		return 5 // NOT_FOUND
	case Exists:
		return 6 // ALREADY_EXISTS
	case Permission:
		return 7 // PERMISSION_DENIED
	case Gone:
		return 9 // FAILED_PRECONDITION
	case Conflict:
		return 10 // ABORTED
	case Unsupported:
		return 12 // UNIMPLEMENTED
	case Unavailable:
		return 14 // UNAVAILABLE
	}
	return 13 // INTERNAL
}

// ExitStatus returns the status with which a command ends that met an error of
// this kind. The statuses are part of the command line's contract.
func (k ErrorKind) ExitStatus() int {
	switch k {
	case "":
		return 0
	case Invalid:
		return 3
	case NotFound, Private, Gone:
		return 4
	case Exists, Conflict:
		return 5
	case Permission:
		return 6
	case Unavailable:
		return 7
	case Unsupported:
		return 8
	case Canceled:
		return 130
	}
	return 1
}
