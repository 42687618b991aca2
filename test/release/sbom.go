package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// The parts of CycloneDX 1.6 (ECMA-424) that an SBOM of a Go binary needs.
type (
	bom struct {
		Schema       string       `json:"$schema"`
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		Serial       string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string     `json:"timestamp"`
		Lifecycle []phase    `json:"lifecycles"`
		Component component  `json:"component"`
		Property  []property `json:"properties,omitempty"`
	}
	phase struct {
		Phase string `json:"phase"`
	}
	component struct {
		Type     string     `json:"type"`
		Ref      string     `json:"bom-ref"`
		Name     string     `json:"name"`
		Version  string     `json:"version"`
		PURL     string     `json:"purl"`
		Scope    string     `json:"scope,omitempty"`
		Hashes   []hash     `json:"hashes,omitempty"`
		Property []property `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
)

// sbom lists what the toolchain says is in a binary: every module with its
// version, and the standard library. Which module needs which is not in the
// binary, so all are listed under the program.
func sbom(info *debug.BuildInfo, version string, binary []byte, at time.Time) ([]byte, error) {
	sum := sha256.Sum256(binary)
	program := component{Type: "application", Name: info.Main.Path, Version: version, PURL: purl(info.Main.Path, version),
		Hashes: []hash{{"SHA-256", fmt.Sprintf("%x", sum)}}}
	program.Ref = program.PURL
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED", "vcs.revision", "vcs.modified", "GOFIPS140":
			program.Property = append(program.Property, property{"genesis:build:" + s.Key, s.Value})
		}
	}
	std := strings.TrimPrefix(info.GoVersion, "go")
	parts := []component{{Type: "library", Ref: purl("std", std), Name: "std", Version: std, PURL: purl("std", std), Scope: "required"}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Ref: purl(m.Path, m.Version), Name: m.Path, Version: m.Version, PURL: purl(m.Path, m.Version), Scope: "required"}
		if m.Sum != "" {
			c.Property = []property{{"genesis:go:sum", m.Sum}}
		}
		parts = append(parts, c)
	}
	b := bom{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Serial: serial(sum),
		Metadata:   metadata{Timestamp: at.Format(time.RFC3339), Lifecycle: []phase{{"build"}}, Component: program},
		Components: parts, Dependencies: []dependency{{Ref: program.Ref}}}
	for _, c := range parts {
		b.Dependencies[0].DependsOn = append(b.Dependencies[0].DependsOn, c.Ref)
		b.Dependencies = append(b.Dependencies, dependency{Ref: c.Ref})
	}
	text, err := json.MarshalIndent(b, "", "  ")
	return append(text, '\n'), err
}

// purl is the package URL of a Go module.
func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// serial is a UUID (version 8, RFC 9562) that follows from the binary.
func serial(sum [32]byte) string {
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
