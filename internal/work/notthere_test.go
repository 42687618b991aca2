package work

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestNotThereNamesWhatWasAsked: what another node has not is named as whoever asked wrote
// it, with the node, and not as if that were missing.
func TestNotThereNamesWhatWasAsked(t *testing.T) {
	o := &others{asked: map[genesis.NodeID][]string{}, say: map[genesis.NodeID]func(context.Context) (io.ReadCloser, error){
		"fermi": func(context.Context) (io.ReadCloser, error) {
			return nil, &genesis.Error{Op: "ask node", Kind: genesis.NotFound, Subject: "http://127.0.0.1:28483", Msg: "it says: is not here, or not for you to see"}
		},
	}}
	s := &Service{Config: Config{Node: "here", Peers: o, Charter: o.charter()}}
	ada := genesis.Principal{Subject: "ada", Node: "here"}
	refused := genesis.Run{ID: "r1", At: "fermi", State: genesis.RunFailed, Error: &genesis.Problem{Detail: `train "nuclei": needs a grant`}}
	for want, err := range map[string]error{
		`look up "fermi/nuclei": is not at fermi, or not for you to see there`:                 second(s.May(t.Context(), ada, "fermi/nuclei")),
		`read log "run r1": fermi has no log of it: it ended there with train "nuclei": needs`: third(s.logThere(t.Context(), ada, refused)),
		`read log "run r2": is not at fermi, or not for you to see there`:                      third(s.logThere(t.Context(), ada, genesis.Run{ID: "r2", At: "fermi", State: genesis.RunRunning})),
	} {
		if told := genesis.ProblemOf(err, mayBeTold(err)).Detail; genesis.KindOf(err) != genesis.NotFound || !strings.HasPrefix(told, want) {
			t.Errorf("%q, want %q", told, want)
		}
	}
}

// mayBeTold is as the API decides it for who is no steward.
func mayBeTold(err error) bool {
	in, ok := err.(inside)
	return ok && in.MayRead()
}

func second[A any](_ A, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }
