package flight

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/opengenesis/genesis"
)

// domain is whose reasons those of error details are.
const domain = "genesis"

// fail logs what is our own fault, and returns what the caller may know as a status:
// the error in the message's first line, what to do about it in its second, and kind and
// request in a google.rpc.ErrorInfo.
func (h *handler) fail(ctx context.Context, method string, err error) error {
	if err == nil {
		return nil
	}
	var ours *genesis.Error
	if st, ok := status.FromError(err); ok && !errors.As(err, &ours) {
		h.Edge.Told(ctx, http.StatusBadRequest) // grpc could not read what was sent
		return st.Err()
	}
	who, _ := h.Edge.Caller(ctx)
	p := genesis.ProblemOf(err, who.Has(genesis.DutySteward))
	p.Request = h.Edge.RequestID(ctx)
	if p.Kind == genesis.Internal {
		h.Log.ErrorContext(ctx, "call failed", "request_id", p.Request, "method", method, "subject", who.Subject, "error", err, "cause", errors.Unwrap(err))
	}
	code := codes.Code(p.Kind.GRPCCode())
	var often interface{ RetryAfter() time.Duration }
	if p.Kind == genesis.Unavailable && errors.As(err, &often) {
		code, p.Status = codes.ResourceExhausted, http.StatusTooManyRequests
	}
	h.Edge.Told(ctx, p.Status)
	return statusOf(code, p).Err()
}

// maxLine bounds the lines of a message: clients of gRPC take 8 KiB of trailers, in which
// each byte of a message may be three, and is once more in the details.
const maxLine = 600

func statusOf(code codes.Code, p genesis.Problem) *status.Status {
	p.Detail, p.Hint = cut(p.Detail), cut(p.Hint)
	st := status.New(code, p.Text())
	info := &errdetails.ErrorInfo{Reason: reason(p.Kind), Domain: domain, Metadata: map[string]string{}}
	for key, value := range map[string]string{"op": p.Op, "subject": p.Subject, "hint": p.Hint, "request": p.Request} {
		if value != "" {
			info.Metadata[key] = cut(value)
		}
	}
	if detailed, err := st.WithDetails(info); err == nil {
		return detailed
	}
	return st
}

func cut(s string) string {
	if len(s) <= maxLine {
		return s
	}
	return strings.ToValidUTF8(s[:maxLine], "") + "…"
}

// reason is a kind as ErrorInfo spells it: NOT_FOUND.
func reason(k genesis.ErrorKind) string {
	return strings.ToUpper(strings.ReplaceAll(string(k), "-", "_"))
}
