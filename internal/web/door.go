package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
)

// Door signs people in.
type Door interface {
	SignInMethods(ctx context.Context) genesis.SignInMethods
	SignIn(ctx context.Context, remote string, req genesis.SignInRequest) (*genesis.NewToken, error)
	SignOut(ctx context.Context, who genesis.Principal) error
	AnswerDevice(ctx context.Context, who genesis.Principal, userCode string, approve bool) error
	StartOIDC(ctx context.Context, provider, next string) (redirect, cookie string, err error)
	FinishOIDC(ctx context.Context, cookie string, query map[string][]string) (*genesis.NewToken, string, error)
}

// Config is what the pages are made of.
type Config struct {
	Door    Door
	Node    genesis.NodeID
	Cookies Cookies
	// Caller returns who makes a request, as the edge found out.
	Caller func(context.Context) genesis.Principal
	Log    *slog.Logger // nil: nothing is logged
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*.html"))

type pages struct{ Config }

// Register adds the pages to mux.
func Register(mux *http.ServeMux, c Config) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := pages{c}
	mux.HandleFunc("GET /signin", p.signInForm)
	mux.HandleFunc("POST /signin", p.signIn)
	mux.HandleFunc("POST /signout", p.signOut)
	mux.HandleFunc("GET /signin/with/{provider}", p.startProvider)
	mux.HandleFunc("GET "+identity.CallbackPath, p.finishProvider)
	mux.HandleFunc("GET "+identity.DevicePath, p.deviceForm)
	mux.HandleFunc("POST "+identity.DevicePath, p.answerDevice)
	for _, file := range staticNames() { // each by its name, so that no folder is listed
		mux.Handle("GET /"+file, http.FileServerFS(staticFiles))
	}
}

func staticNames() []string {
	names, err := fs.Glob(staticFiles, "static/*")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	return names
}

// signInPage is the page on which people sign in.
type signInPage struct {
	Node     genesis.NodeID
	Methods  genesis.SignInMethods
	Next     string
	Subject  string
	Error    string
	SignedIn string // who is signed in already
}

func (p pages) signInForm(w http.ResponseWriter, r *http.Request) {
	p.showSignIn(w, r, http.StatusOK, signInPage{Next: local(r.FormValue("next"))})
}

func (p pages) showSignIn(w http.ResponseWriter, r *http.Request, status int, page signInPage) {
	page.Node, page.Methods = p.Node, p.Door.SignInMethods(r.Context())
	page.SignedIn = string(p.Caller(r.Context()).Person())
	show(w, status, "signin.html", page)
}

// maxForm bounds the form that a browser sends.
const maxForm = 64 << 10

func (p pages) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	next := local(r.FormValue("next"))
	req := genesis.SignInRequest{Subject: r.PostFormValue("subject"), Password: r.PostFormValue("password"), Code: r.PostFormValue("code")}
	made, err := p.Door.SignIn(r.Context(), r.RemoteAddr, req)
	if err != nil {
		p.trouble(r, err)
		p.showSignIn(w, r, status(w, err), signInPage{Next: next, Subject: req.Subject, Error: told(err)})
		return
	}
	p.begin(w, r, *made)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// begin gives the browser a session, and ends the one it had.
func (p pages) begin(w http.ResponseWriter, r *http.Request, made genesis.NewToken) {
	if p.Cookies.Session(r) != "" {
		_ = p.Door.SignOut(r.Context(), p.Caller(r.Context())) // one that does not hold has ended
	}
	p.Cookies.setSession(w, r, made)
}

func (p pages) signOut(w http.ResponseWriter, r *http.Request) {
	err := p.Door.SignOut(r.Context(), p.Caller(r.Context()))
	p.Cookies.drop(w, r, sessionCookie)
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	if err != nil {
		p.trouble(r, err)
		p.showSignIn(w, r, status(w, err), signInPage{Next: "/signin", Error: told(err)})
		return
	}
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}

// startProvider sends a person to a provider, who may let them through without a
// word. So it is for people who chose it here, and not for links of other sites.
func (p pages) startProvider(w http.ResponseWriter, r *http.Request) {
	next := local(r.FormValue("next"))
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		p.showSignIn(w, r, http.StatusOK, signInPage{Next: next})
		return
	}
	target, state, err := p.Door.StartOIDC(r.Context(), r.PathValue("provider"), next)
	if err != nil {
		p.trouble(r, err)
		p.showSignIn(w, r, status(w, err), signInPage{Next: next, Error: told(err)})
		return
	}
	p.Cookies.set(w, r, stateCookie, state, 10*time.Minute)
	http.Redirect(w, r, target, http.StatusSeeOther)
}

func (p pages) finishProvider(w http.ResponseWriter, r *http.Request) {
	state := p.Cookies.value(r, stateCookie)
	p.Cookies.drop(w, r, stateCookie)
	made, next, err := p.Door.FinishOIDC(r.Context(), state, r.URL.Query())
	if err != nil {
		p.trouble(r, err)
		p.showSignIn(w, r, status(w, err), signInPage{Next: "/signin", Error: told(err)})
		return
	}
	p.begin(w, r, *made)
	http.Redirect(w, r, local(next), http.StatusSeeOther)
}

// devicePage is the page on which a person approves the sign-in of a terminal.
type devicePage struct {
	Node   genesis.NodeID
	Person string
	Code   string
	Answer string // "approved", "refused"
	Error  string
}

func (p pages) deviceForm(w http.ResponseWriter, r *http.Request) {
	code := r.FormValue("code")
	who := p.Caller(r.Context())
	if !who.SignedIn() {
		next := "/device"
		if code != "" {
			next += "?" + url.Values{"code": {code}}.Encode()
		}
		http.Redirect(w, r, "/signin?"+url.Values{"next": {next}}.Encode(), http.StatusSeeOther)
		return
	}
	show(w, http.StatusOK, "device.html", devicePage{Node: p.Node, Person: string(who.Person()), Code: code})
}

func (p pages) answerDevice(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	who := p.Caller(r.Context())
	page := devicePage{Node: p.Node, Person: string(who.Person()), Code: r.PostFormValue("code"), Answer: "refused"}
	approve := r.PostFormValue("answer") == "approve"
	if approve {
		page.Answer = "approved"
	}
	code := http.StatusOK
	if err := p.Door.AnswerDevice(r.Context(), who, page.Code, approve); err != nil {
		p.trouble(r, err)
		page.Answer, page.Error, code = "", told(err), status(w, err)
		if code == http.StatusNotFound { // of a code there is nothing to hide
			page.Error = "the code is wrong or has expired: compare it with the terminal's, or begin again there"
		}
	}
	show(w, code, "device.html", page)
}

// trouble logs what is not the doing of who asked: the disk, or a provider that does
// not answer, with its cause, which the page does not tell.
func (p pages) trouble(r *http.Request, err error) {
	kind, often := genesis.KindOf(err), identity.TooMany(0)
	if kind == genesis.Internal || kind == genesis.Unavailable && !errors.As(err, &often) {
		p.Log.ErrorContext(r.Context(), "somebody cannot sign in", "path", r.URL.Path, "error", err, "cause", errors.Unwrap(err))
	}
}

// status is that of an error. Whoever tries too often is told when to come again.
func status(w http.ResponseWriter, err error) int {
	var often identity.TooMany
	if !errors.As(err, &often) {
		return genesis.KindOf(err).HTTPStatus()
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(often.RetryAfter().Seconds()))))
	return http.StatusTooManyRequests
}

// told is an error in words for the person who caused it.
func told(err error) string {
	p := genesis.ProblemOf(err, false)
	if p.Hint == "" {
		return p.Message
	}
	return p.Message + ": " + p.Hint
}

// show renders a page to memory and then writes it, so that none is half a page.
func show(w http.ResponseWriter, status int, name string, page any) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, page); err != nil {
		http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // a browser that is gone needs no page
}

// local returns where to go next, never to another site.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || next == "" || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/signin"
	}
	return next
}
