// Package post carries messages between nodes: signed, durable at both ends, each
// acted upon once.
//
// # Sending
//
// [Post.Put] keeps a message in the transaction of the act that it tells of: there is
// no act without its message, and no message without its act. A sender for each peer
// brings them over in the order in which they were put, one at a time, and tries again
// with growing pauses for as long as the peer is away, thirty days at most. One that the
// peer answers, and cannot take now, holds up those about the same matter alone: what is
// about different things may arrive in another order. A message is signed when it is sent, so that one that waited through a change of keys still
// counts.
//
// # Receiving
//
// [Post.Receive] checks who wrote it, against the charter as it is now, and lets the
// handler of its kind act in the same transaction that keeps the message as received.
// So a message that arrives twice, because its receipt was lost on the way, is acted
// upon once. The receipt is signed: the sender can show that it was taken. A member that
// sends more than an honest one has waiting is told to come again.
//
// # Refusals
//
// What a handler refuses for good (any kind of error but Unavailable, Canceled and
// Internal) is not sent again; the sender's [Config.Undelivered] learns why. So one bad
// message does not hold up those behind it.
package post
