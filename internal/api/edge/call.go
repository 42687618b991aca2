package edge

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

// isCall reports whether a request is a call over gRPC, and so is answered in its
// terms.
func isCall(r *http.Request) bool {
	kind := r.Header.Get("Content-Type")
	return r.ProtoMajor == 2 && r.Method == http.MethodPost && (kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+"))
}

// refuseCall answers a call with an error and nothing else ("Trailers-Only" of
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
func refuseCall(w http.ResponseWriter, r *http.Request, p genesis.Problem) {
	Told(r.Context(), p.Status)
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Cache-Control", "private, no-store")
	h.Set("Grpc-Status", strconv.Itoa(codeOf(p)))
	h.Set("Grpc-Message", percent(p.Text()))
	w.WriteHeader(http.StatusOK)
}

// codeOf is the gRPC code of a refusal.
func codeOf(p genesis.Problem) int {
	switch p.Status {
	case http.StatusUnauthorized:
		return 16 // UNAUTHENTICATED
	case http.StatusTooManyRequests:
		return 8 // RESOURCE_EXHAUSTED
	}
	return p.Kind.GRPCCode()
}

// percent encodes a message as gRPC wants it in a header.
func percent(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// Told notes the HTTP status that an answer amounts to, where the answer itself says
// it in other terms, for the log and the metrics.
func Told(ctx context.Context, status int) {
	if x := of(ctx); x != nil {
		x.told.Store(int32(status))
	}
}

// status is what the request was answered with.
func (x *exchange) status() int {
	if told := int(x.told.Load()); told != 0 {
		return told
	}
	return x.out.status
}
