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

// Session returns the secret of the session that a browser's request carries, or "".
func Session(r *http.Request) string { return cookie(r, sessionCookie) }

// named is a cookie's name on this connection: over TLS one that only this host
// can have set.
func named(r *http.Request, name string) string {
	if r.TLS != nil {
		return "__Host-" + name
	}
	return name
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(named(r, name))
	if err != nil {
		return ""
	}
	return c.Value
}

func setCookie(w http.ResponseWriter, r *http.Request, name, value string, keep time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: named(r, name), Value: value, Path: "/", MaxAge: int(keep / time.Second),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
}

func dropCookie(w http.ResponseWriter, r *http.Request, name string) {
	http.SetCookie(w, &http.Cookie{Name: named(r, name), Path: "/", MaxAge: -1, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
}

// setSession gives the browser a session.
func setSession(w http.ResponseWriter, r *http.Request, t genesis.NewToken) {
	setCookie(w, r, sessionCookie, t.Secret, time.Until(t.Token.Expires))
}
