package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestUnmeasuredShare: a share that was not measured does not lose the line that it is in.
func TestUnmeasuredShare(t *testing.T) {
	half := 0.5
	b, err := json.Marshal(result{Untouched: measured(&half), Scaled: measured(nil)})
	if err != nil || !strings.Contains(string(b), `"Untouched":0.5,"Scaled":null`) {
		t.Errorf("%s %v", b, err)
	}
}
