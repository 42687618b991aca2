package learn

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestLeast: what fewer than k rows say is neither in the model nor in its
// report, and what k rows say is.
func TestLeast(t *testing.T) {
	const n = 600
	word, class, x := make([]string, n), make([]string, n), make([]float64, n)
	for i := range n {
		word[i], class[i], x[i] = fmt.Sprint("common", i%3), fmt.Sprint("kind", i%2), float64(i%17)
		if i%75 == 0 { // eight rows of part Train
			word[i], class[i] = "whisper", "secretive"
		}
	}
	var b builder
	d := b.texts("word", genesis.Categorical, genesis.Feature, word).floats("x", genesis.Feature, x).
		texts("class", genesis.Categorical, genesis.Target, class).Data

	for _, c := range []struct {
		least int
		told  bool
	}{{0, true}, {genesis.LeastGroup, false}} {
		m, r := train(t, d, Options{Target: []string{"class"}, Least: c.least})
		parts, err := m.Parts()
		if err != nil {
			t.Fatal(err)
		}
		text, err := genesis.CanonicalJSON(r)
		if err != nil {
			t.Fatal(err)
		}
		all := text
		for _, part := range parts {
			all = append(all, part...)
		}
		for _, rare := range []string{"whisper", "secretive"} {
			if got := bytes.Contains(all, []byte(rare)); got != c.told {
				t.Errorf("least %d: %q is told: %v", c.least, rare, got)
			}
		}
		if !bytes.Contains(all, []byte("common2")) || !bytes.Contains(all, []byte("kind1")) {
			t.Errorf("least %d: frequent words are lost", c.least)
		}
	}
}
