// Package web is what a node shows to browsers. So far these are the pages by
// which people come in: signing in with a password or through a provider, and
// approving the sign-in of a terminal.
//
// Pages are html/template rendered to memory and then written, work without
// JavaScript, and load nothing from elsewhere. A browser's session is a cookie that
// holds a session token: HttpOnly, SameSite=Lax, and, over TLS, Secure with the
// __Host- prefix. Forms of other sites are refused by the edge
// (http.CrossOriginProtection) before they come here.
package web
