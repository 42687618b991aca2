package ingest

import (
	"context"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
)

// Result is what Prepare made. The bytes are in the blob store; nothing is in
// the catalogue yet.
type Result struct {
	Manifest genesis.Manifest
	Layout   genesis.Layout
	Profile  genesis.Profile
	Splits   []genesis.Split
	Findings []genesis.Finding
	Sources  []genesis.Source
	Recipe   string
	Rows     int64 // of all tables, without rejects
	Bytes    int64 // stored
}

// Prepare makes the content of a dataset version from raw files. With a recipe
// it does what the recipe says and decides only what that leaves open. Nothing
// is left in the blob store when it fails, except blobs that nothing refers to.
func Prepare(ctx context.Context, env Env, files []*format.Raw, rec *recipe.Recipe, opt genesis.PrepareOptions, splitFiles []*format.Raw) (*Result, error) {
	steady, err := watch(files)
	if err != nil {
		return nil, err
	}
	sources, err := openSources(ctx, env, files)
	if err != nil {
		return nil, err
	}
	digests := digestAll(ctx, files)
	if rec == nil {
		rec = &recipe.Recipe{Format: recipe.Format, Read: recipe.Read{Header: opt.Header, Delimiter: opt.Delimiter, Encoding: opt.Encoding, Sheets: opt.Sheets}}
	}
	s, err := newScan(ctx, env, sources, rec, format.Options{})
	if err != nil {
		return nil, err
	}
	defer s.close()
	full, findings, err := s.decide(opt)
	if err != nil {
		return nil, err
	}
	summaries, err := s.summaries(ctx, full)
	if err != nil {
		return nil, err
	}
	findings = append(findings, summaries...)
	if err := addSplits(full, opt); err != nil {
		return nil, err
	}
	res, err := encodeAll(ctx, env, s, full, splitFiles)
	if other := steady.check(); other != nil && canceled(ctx, "prepare") == nil {
		err = other
	}
	if err != nil {
		return nil, err
	}
	text, err := recipe.Print(full)
	if err != nil {
		return nil, err
	}
	res.Recipe = string(text)
	res.Findings = append(append(s.sourceFindings(), findings...), res.Findings...)
	number(res.Findings)
	if res.Sources, err = s.described(<-digests); err != nil {
		return nil, err
	}
	if err := steady.check(); err != nil {
		return nil, err
	}
	return res, nil
}

func encodeAll(ctx context.Context, env Env, s *scan, full *recipe.Recipe, splitFiles []*format.Raw) (*Result, error) {
	e, err := newEncode(ctx, env, s, full, splitFiles)
	if err != nil {
		return nil, err
	}
	if err := e.run(ctx); err != nil {
		e.abort()
		return nil, err
	}
	res, err := e.finish(ctx)
	if err != nil {
		e.abort()
	}
	return res, err
}

type sourceDigest struct {
	digest genesis.Digest
	err    error
}

// digestAll hashes the raw files beside the first pass.
func digestAll(ctx context.Context, files []*format.Raw) <-chan map[*format.Raw]sourceDigest {
	out := make(chan map[*format.Raw]sourceDigest, 1)
	go func() {
		m := map[*format.Raw]sourceDigest{}
		for _, f := range files {
			d, err := digestSource(ctx, f)
			m[f] = sourceDigest{d, err}
		}
		out <- m
	}()
	return out
}

// described returns what is known of every source, for the provenance.
func (s *scan) described(digests map[*format.Raw]sourceDigest) ([]genesis.Source, error) {
	var out []genesis.Source
	for _, src := range s.sources {
		d := src.describe()
		if sum, ok := digests[src.raw]; ok {
			if sum.err != nil {
				return nil, sum.err
			}
			d.Digest = sum.digest
		}
		out = append(out, d)
	}
	return out, nil
}

func (s *source) describe() genesis.Source {
	d := s.about.Source
	d.Path, d.Bytes = s.stream.Name, s.raw.Size
	fill(&d.Format, s.driver.Name())
	fill(&d.Packing, s.stream.Packing)
	d.Tables = nil // the reader's names for them are not the dataset's
	for _, t := range s.tables {
		if t != nil {
			d.Tables = append(d.Tables, tableName(t.from))
		}
	}
	return d
}

func (s *scan) sourceFindings() []genesis.Finding {
	var out []genesis.Finding
	for _, src := range s.sources {
		out = append(out, src.beside...)
		for _, f := range src.about.Findings {
			fill(&f.Source, src.stream.Name)
			out = append(out, f)
		}
		if src.stream.Warnings != nil {
			out = append(out, src.stream.Warnings()...)
		}
	}
	return out
}

// number makes sure that every finding has an id of its own.
func number(findings []genesis.Finding) {
	taken := map[string]bool{}
	for i := range findings {
		f := &findings[i]
		if f.ID == "" {
			f.ID = f.Code
			for _, part := range []string{f.Table, f.Column} {
				if part != "" {
					f.ID += ":" + part
				}
			}
		}
		for n, base := 2, f.ID; taken[f.ID]; n++ {
			f.ID = fmt.Sprintf("%s#%d", base, n)
		}
		taken[f.ID] = true
	}
}
