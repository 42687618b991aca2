package genesis

import (
	"os"
	"strings"
	"testing"
)

// TestManifestVector holds the example of docs/formats.md: the bytes of a
// manifest and the version they are.
func TestManifestVector(t *testing.T) {
	doc, err := os.ReadFile("docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := CanonicalJSON(Manifest{Format: ManifestFormat, Kind: Dataset, Tables: []ManifestTable{{Name: "turbines",
		Columns: []ManifestColumn{{
			Column: Column{Name: "power", Type: Float, Unit: "kW", Role: Target},
			Digest: "sha256:93488a0dc50d99084898918b09cefc3a079fee4cb182b3ca7cf36d1fb90e36d2",
		}}}}})
	if err != nil {
		t.Fatal(err)
	}
	const version = "sha256:63a7d5383b3337a1d2c2091122343a7f4e28c25c5384538618ea81c6cedc0626"
	if DigestOf(text) != version {
		t.Errorf("the version is %s", DigestOf(text))
	}
	for _, part := range []string{"\n" + string(text) + "\n", "the version `" + version + "`"} {
		if !strings.Contains(string(doc), part) {
			t.Errorf("docs/formats.md does not hold %q", part)
		}
	}
}
