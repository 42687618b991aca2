// Package identity answers who is asking.
//
// People sign in at their home node: by a password kept here ([Identity.Password]),
// by an OpenID Connect provider of their institution ([Identity.StartOIDC] and
// [Identity.FinishOIDC]), or, at a terminal, by approving in a browser anywhere
// what the terminal began ([Identity.StartDevice], RFC 8628). Each way ends in a
// session: a secret that the browser or the terminal keeps, and of which the
// database holds only the SHA-256. A session makes personal tokens for programs
// ([Identity.CreateToken]), and operators make those of service accounts. Whatever
// comes with a request, [Identity.Authenticate] turns it into a
// [genesis.Principal]: the person, what their account and their provider say of
// them, how surely they were recognised, and what their token is narrowed to.
//
// People of other nodes sign in at home as well, and come with its word: this node vouches
// for its own elsewhere ([Identity.PeerToken]), and takes the word of others for a session
// ([Identity.Exchange]), each request of which is signed ([Identity.AuthenticateRequest]).
// They are nobody's accounts, and have no duties; what was vouched for ends with the
// session, with their node's place in the charter, or with its key. Tokens and signatures
// are package vouch's; docs/federation.md is the contract.
//
// Four rules hold everywhere here.
//
// A credential never makes a wider one. A token's scopes, duties and assurance
// are within those of what made it, a token made by a token ends no later and is
// revoked with it, and acts that decide about credentials (approving a terminal,
// setting up a second factor, changing a password) ask for a session that is not
// narrowed.
//
// What is taken back is gone at once. Principals are cached, so that knowing who
// asks costs about a microsecond, but every act that changes an account or a
// token drops what it changes from the cache before it returns, and an entry of
// the cache is read again after a second, whatever happens.
//
// A name is derived, not claimed. Who comes from a provider is known by issuer and
// subject; an address or a user name that the provider lets people choose never
// decides whose account it is.
//
// Every act is evidence: accounts, sign-ins, refusals and tokens go through
// [Config.Record] in the transaction that makes them, and nothing secret is in
// an event, an error or a line of the log.
//
// What strangers can do without signing in is bounded: attempts by person and by
// remote address, hashes at a time, terminals that wait, bytes and seconds of a
// provider's answer.
package identity
