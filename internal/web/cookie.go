package web

import (
	"net/http"
	"time"

	"github.com/opengenesis/genesis"
)

const (
	sessionCookie = "genesis_session"
	stateCookie   = "genesis_state"
)

// Cookies are how a node keeps sessions in browsers. Secure says that browsers reach
// it over TLS, which a proxy in front of it may end.
type Cookies struct{ Secure bool }

// Session returns the secret of the session that a browser's request carries, or "".
func (c Cookies) Session(r *http.Request) string { return c.value(r, sessionCookie) }

func (c Cookies) secure(r *http.Request) bool { return c.Secure || r.TLS != nil }

// named is a cookie's name on this connection: over TLS one that only this host
// can have set.
func (c Cookies) named(r *http.Request, name string) string {
	if c.secure(r) {
		return "__Host-" + name
	}
	return name
}

func (c Cookies) value(r *http.Request, name string) string {
	found, err := r.Cookie(c.named(r, name))
	if err != nil {
		return ""
	}
	return found.Value
}

func (c Cookies) set(w http.ResponseWriter, r *http.Request, name, value string, keep time.Duration) {
	c.send(w, r, name, value, int(keep/time.Second))
}

func (c Cookies) drop(w http.ResponseWriter, r *http.Request, name string) {
	c.send(w, r, name, "", -1)
}

func (c Cookies) send(w http.ResponseWriter, r *http.Request, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: c.named(r, name), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: c.secure(r), SameSite: http.SameSiteLaxMode})
}

// setSession gives the browser a session.
func (c Cookies) setSession(w http.ResponseWriter, r *http.Request, t genesis.NewToken) {
	c.set(w, r, sessionCookie, t.Secret, time.Until(t.Token.Expires))
}
