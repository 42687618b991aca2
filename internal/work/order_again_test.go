package work

import (
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/federation/post"
)

// TestToldAgainOnce: whoever asks again and again how an order ended, and takes no answer,
// fills no queue.
func TestToldAgainOnce(t *testing.T) {
	charter := access.Chartered(genesis.Member{ID: "here"}, genesis.Member{ID: "mit", Institution: "MIT", Sector: genesis.University})
	s, _ := OpenTest(t, func(c *Config) { c.Charter = charter })
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Post = post.New(post.Config{DB: s.DB, Node: "here", Charter: charter, Key: func() (ed25519.PrivateKey, error) { return key, nil }})
	const id = "tz3k7q2m4x6p8r0vabcdefghij"
	eve := genesis.Principal{Subject: "eve", Node: "mit", Assurance: genesis.AssurancePassword}
	body, err := json.Marshal(genesis.RunCancel{Run: id})
	if err != nil {
		t.Fatal(err)
	}
	acts := []func(tx *sql.Tx) error{
		func(tx *sql.Tx) error {
			return s.putOrder(t.Context(), tx, genesis.PeerMessage{ID: "m", From: "mit", Kind: messageRun}, eve, genesis.RunRequest{ID: id, Kind: genesis.RunTrain, Request: json.RawMessage(`{}`)})
		},
		func(tx *sql.Tx) error {
			return s.tellTx(t.Context(), tx, order{run: id, node: "mit"}, ended(id, canceledEarly(id), s.now()))
		},
	}
	for range 5 {
		acts = append(acts, func(tx *sql.Tx) error {
			return s.takeCancel(t.Context(), tx, genesis.PeerMessage{ID: "c", From: "mit", To: "here", Kind: messageCancel, About: id, Body: body})
		})
	}
	for _, act := range acts {
		if err := s.DB.Tx(t.Context(), act); err != nil {
			t.Fatal(err)
		}
	}
	var n int
	if err := s.DB.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM post_out WHERE about = $1", id).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d answers wait, %v", n, err)
	}
}
