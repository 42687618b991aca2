package work

import (
	"context"
	"io"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Service does a node's work: it composes ingest and learn over one catalogue
// and one blob store, and asks access before each act.
type Service struct {
}

// Inspect says what files are and hold, from a sample; it stores nothing.
func (s *Service) Inspect(ctx context.Context, who genesis.Principal, files []*format.Raw, opt genesis.PrepareOptions, p genesis.Progress) (*genesis.Inspection, error) {
	return nil, nil
}

// Prepare makes a draft dataset version from raw files. files and splitFiles
// are req.Files and req.Options.SplitFiles, opened.
func (s *Service) Prepare(ctx context.Context, who genesis.Principal, req genesis.PrepareRequest, files, splitFiles []*format.Raw, p genesis.Progress) (*genesis.Prepared, error) {
	return nil, nil
}

// Train makes a model version from a dataset version.
func (s *Service) Train(ctx context.Context, who genesis.Principal, req genesis.TrainRequest, p genesis.Progress) (*genesis.Trained, error) {
	return nil, nil
}

// Predict applies a model to the rows of raw files; the output is fetched with
// Output by its digest.
func (s *Service) Predict(ctx context.Context, who genesis.Principal, req genesis.PredictRequest, files []*format.Raw, p genesis.Progress) (*genesis.Predicted, error) {
	return nil, nil
}

// Verify re-hashes everything a version consists of.
func (s *Service) Verify(ctx context.Context, who genesis.Principal, ref string, p genesis.Progress) (*genesis.Verification, error) {
	return nil, nil
}

// Diff compares two versions of datasets.
func (s *Service) Diff(ctx context.Context, who genesis.Principal, from, to string, p genesis.Progress) (*genesis.Diff, error) {
	return nil, nil
}

// Export writes a table of a version to w as "parquet" or "csv"; empty table
// means the first, nil columns all.
func (s *Service) Export(ctx context.Context, who genesis.Principal, ref, table, as string, columns []string, w io.Writer, p genesis.Progress) error {
	return nil
}

// Describe returns everything the node says about a version.
func (s *Service) Describe(ctx context.Context, who genesis.Principal, ref string) (*genesis.Description, error) {
	return nil, nil
}

// List returns assets in name order; kind "" means all. The second result is
// the cursor of the next page, "" after the last.
func (s *Service) List(ctx context.Context, who genesis.Principal, kind genesis.Kind, after string, limit int) ([]genesis.Asset, string, error) {
	return nil, "", nil
}

// Search returns the assets that match text, best first.
func (s *Service) Search(ctx context.Context, who genesis.Principal, text string, limit int) ([]genesis.Hit, error) {
	return nil, nil
}

// SetCard changes fields of a version's card, by their JSON names; a list is
// given with commas; an empty value clears the field.
func (s *Service) SetCard(ctx context.Context, who genesis.Principal, ref string, fields map[string]string) (*genesis.Card, error) {
	return nil, nil
}

// Answer records what a person says about a finding.
func (s *Service) Answer(ctx context.Context, who genesis.Principal, ref, finding, answer string) (*genesis.Finding, error) {
	return nil, nil
}

// Output returns the bytes of a prediction output.
func (s *Service) Output(ctx context.Context, who genesis.Principal, d genesis.Digest) (io.ReadCloser, int64, error) {
	return nil, 0, nil
}
