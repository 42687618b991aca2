// Package guest is what whoever acts at another node needs, be it a person's program or a
// node: a session there, which begins and is renewed by itself ([Session]), and a bound on
// what is read of its answers ([Read]).
//
// The protocol is in docs/federation.md, under "Who somebody is".
package guest
