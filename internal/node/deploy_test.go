package node

import "testing"

// TestDeployConfig: the configuration that deploy/ offers is one.
func TestDeployConfig(t *testing.T) {
	c, err := readConfig("../../deploy/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c.Node != "nrel" || c.Memory != 8_000_000_000 {
		t.Errorf("it reads as node %q, memory %d", c.Node, c.Memory)
	}
}
