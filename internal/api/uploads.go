package api

import (
	"context"
	"encoding/base64"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/work/upload"
)

// The header fields of resumable uploads, as the IETF draft "Resumable Uploads
// for HTTP" names them (draft-ietf-httpbis-resumable-upload), and that of RFC 9530.
const (
	offsetHeader   = "Upload-Offset"
	completeHeader = "Upload-Complete"
	lengthHeader   = "Upload-Length"
	digestHeader   = "Repr-Digest"
)

// registerUploads declares how files come in from elsewhere.
func (s *server) registerUploads(a huma.API) {
	get, post, head, patch, del := http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPatch, http.MethodDelete

	quick(s, a, creates(op(post, "/v1/uploads", "create-upload", "Open an upload session")), s.createUpload)
	quick(s, a, op(get, "/v1/uploads", "list-uploads", "List one's own upload sessions"), s.listUploads)
	quick(s, a, op(get, "/v1/uploads/{id}", "upload", "Where an upload stands"), s.findUpload)
	quick(s, a, op(del, "/v1/uploads/{id}", "abort-upload", "End an upload session and remove its bytes"), s.abortUpload)
	plain(s, a, withID(op(head, "/v1/uploads/{id}", "upload-offset", "Where an upload goes on"),
		"204", "Where to go on is in "+offsetHeader), edge.Route{}, s.headUpload)

	in := withID(op(patch, "/v1/uploads/{id}", "append-upload", "Bring the next bytes of an upload"),
		"200", "The session after the last byte that came in")
	in.Parameters = append(in.Parameters, headerParam(offsetHeader, "integer", true, "where the bytes begin: what the session has so far"),
		headerParam(completeHeader, "string", false, "?1: the file ends with these bytes; there may be none"),
		headerParam(digestHeader, "string", false, "sha-256=:…: of the whole file (RFC 9530), with the last bytes"))
	in.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{partialUpload: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	plain(s, a, in, edge.Route{Stream: true, RawBody: true}, s.appendUpload)
}

func headerParam(name, kind string, required bool, doc string) *huma.Param {
	return &huma.Param{Name: name, In: "header", Required: required, Description: doc, Schema: &huma.Schema{Type: kind}}
}

// withID adds what huma learns of other operations from their types.
func withID(o huma.Operation, status, means string) huma.Operation {
	o.Parameters = []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}}
	o.Responses = map[string]*huma.Response{status: {Description: means}}
	return o
}

// plain registers an operation whose body or answer is not JSON: do writes the
// answer itself, unless it returns an error.
func plain(s *server, a huma.API, o huma.Operation, route edge.Route, do func(http.ResponseWriter, *http.Request, genesis.Principal) error) {
	s.routes[o.Method+" "+o.Path] = route
	a.OpenAPI().AddOperation(&o)
	a.Adapter().Handle(&o, a.Middlewares().Handler(func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		who, err := caller(r.Context())
		if err == nil {
			err = do(w, r, who)
		}
		if err != nil {
			writeProblem(hc, s.fail(r.Context(), o.OperationID, who, err))
		}
	}))
}

// uploads returns the store, or why there is none for who asks: files come in to be
// prepared or predicted on, and a token narrowed to other things brings none.
func (s *server) uploads(who genesis.Principal) (*upload.Store, error) {
	if s.Uploads == nil {
		return nil, &genesis.Error{Op: "upload", Kind: genesis.Unsupported, Msg: "this node takes no uploads"}
	}
	makes := func(scope genesis.Scope) bool {
		act, _, _ := strings.Cut(string(scope), ":")
		return act == string(genesis.Steward) || act == string(genesis.Infer)
	}
	if who.Scopes != nil && !slices.ContainsFunc(who.Scopes, makes) {
		return nil, &genesis.Error{Op: "upload", Kind: genesis.Permission, Msg: "the token is narrowed to other things", Hint: "a token for steward or infer brings files"}
	}
	return s.Uploads, nil
}

type uploadInput struct{ Body genesis.UploadRequest }

func (s *server) createUpload(ctx context.Context, who genesis.Principal, in *uploadInput) (*genesis.Upload, error) {
	u, err := s.uploads(who)
	if err != nil {
		return nil, err
	}
	return u.Create(ctx, who, in.Body)
}

func (s *server) listUploads(ctx context.Context, who genesis.Principal, _ *struct{}) (*genesis.UploadPage, error) {
	u, err := s.uploads(who)
	if err != nil {
		return nil, err
	}
	all, err := u.List(ctx, who)
	return &genesis.UploadPage{Uploads: orEmpty(all)}, err
}

type uploadIDInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (s *server) findUpload(ctx context.Context, who genesis.Principal, in *uploadIDInput) (*genesis.Upload, error) {
	u, err := s.uploads(who)
	if err != nil {
		return nil, err
	}
	return u.Find(ctx, who, in.ID)
}

func (s *server) abortUpload(ctx context.Context, who genesis.Principal, in *uploadIDInput) (*nothing, error) {
	u, err := s.uploads(who)
	if err != nil {
		return nil, err
	}
	return &nothing{}, u.Abort(ctx, who, in.ID)
}

func (s *server) headUpload(w http.ResponseWriter, r *http.Request, who genesis.Principal) error {
	all, err := s.uploads(who)
	if err != nil {
		return err
	}
	u, err := all.Find(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	tellOffset(w.Header(), u)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) appendUpload(w http.ResponseWriter, r *http.Request, who genesis.Principal) error {
	all, err := s.uploads(who)
	if err != nil {
		return err
	}
	part, err := readPart(r.Header)
	if err != nil {
		return err
	}
	part.Body = r.Body
	u, err := all.Append(r.Context(), who, r.PathValue("id"), part)
	if u != nil {
		tellOffset(w.Header(), u)
	}
	if err != nil {
		return err
	}
	writeJSON(w, u)
	return nil
}

// tellOffset says where an upload goes on.
func tellOffset(h http.Header, u *genesis.Upload) {
	h.Set(offsetHeader, strconv.FormatInt(u.Offset, 10))
	h.Set(completeHeader, map[bool]string{true: "?1", false: "?0"}[u.Complete])
	if u.Size != nil {
		h.Set(lengthHeader, strconv.FormatInt(*u.Size, 10))
	}
}

const partialUpload = "application/partial-upload"

// readPart reads the header of a part. Errors: Invalid.
func readPart(h http.Header) (p upload.Part, err error) {
	bad := func(msg string) error {
		return &genesis.Error{Op: "upload", Kind: genesis.Invalid, Msg: msg}
	}
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != partialUpload && kind != "application/octet-stream" {
		return p, bad("the Content-Type is neither " + partialUpload + " nor application/octet-stream")
	}
	if p.Offset, err = readOffset(h.Get(offsetHeader)); err != nil {
		return p, bad(offsetHeader + " is not a number of bytes")
	}
	switch h.Get(completeHeader) {
	case "", "?0":
	case "?1":
		p.Last = true
	default:
		return p, bad(completeHeader + " is neither ?0 nor ?1")
	}
	if p.SHA256, err = readDigest(h.Values(digestHeader)); err != nil {
		return p, bad(digestHeader + " has no readable sha-256")
	}
	return p, nil
}

// readOffset reads a number of at most 15 digits, as structured fields have them
// (RFC 9651).
func readOffset(text string) (int64, error) {
	if text == "" || len(text) > 15 || strings.Trim(text, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(text, 10, 64)
}

// readDigest reads the sha-256 of Repr-Digest fields (RFC 9530); other
// algorithms are passed over.
func readDigest(fields []string) (genesis.Digest, error) {
	for _, field := range fields {
		for one := range strings.SplitSeq(field, ",") {
			text, ok := strings.CutPrefix(strings.TrimSpace(one), "sha-256=")
			if !ok {
				continue
			}
			if len(text) < 2 || text[0] != ':' || text[len(text)-1] != ':' {
				return "", strconv.ErrSyntax
			}
			sum, err := base64.StdEncoding.Strict().DecodeString(text[1 : len(text)-1])
			if err != nil || len(sum) != 32 {
				return "", strconv.ErrSyntax
			}
			return genesis.DigestSum(sum), nil
		}
	}
	return "", nil
}
