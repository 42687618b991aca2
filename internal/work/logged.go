package work

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/learn"
)

// logging is a model that is being taken into the catalogue.
type logging struct {
	s     *Service
	who   genesis.Principal
	req   genesis.LogModelRequest
	parts map[string]*format.Raw
	p     genesis.Progress

	inputs   []genesis.LoggedInput
	parents  []genesis.Version
	unlearnt []string     // inputs that may be read, and not trained on
	asks     []access.Ask // that must be allowed until it is done

	report   genesis.LoggedReport
	sources  []genesis.Source
	manifest genesis.Manifest
	layout   genesis.Layout
	bytes    int64
}

// LogModel makes a version of a model that was trained elsewhere. parts are the files
// that the request names. Whoever names an input must be able to read it: its bytes
// left the node to them, or nothing was trained on it.
func (s *Service) LogModel(ctx context.Context, who genesis.Principal, req genesis.LogModelRequest, parts map[string]*format.Raw, p genesis.Progress) (*genesis.LoggedModel, error) {
	l := &logging{s: s, who: who, req: req, parts: parts, p: p}
	if err := l.allow(ctx); err != nil {
		return nil, err
	}
	if err := checkLogged(&req); err != nil {
		return nil, err
	}
	unpin, err := s.Blobs.Pin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unpin() }() // a pin is gone with the process at the latest
	watched, stop := s.watchAll(ctx, l.asks)
	defer stop()
	v, unchanged, err := l.take(watched)
	if err != nil {
		return nil, withdrawn(watched, err)
	}
	d, err := s.Describe(ctx, who, v.Ref().String())
	if err != nil {
		return nil, err
	}
	if d.Findings == nil {
		d.Findings = []genesis.Finding{}
	}
	return &genesis.LoggedModel{Version: d.Version, Unchanged: unchanged, Report: *d.Report, Findings: d.Findings}, nil
}

// allow decides whether who may make a model of that name from those inputs.
func (l *logging) allow(ctx context.Context) error {
	if err := genesis.CheckName(l.req.Name); err != nil {
		return err
	}
	if !l.s.home(l.who) {
		return ownFiles("log model")
	}
	if n := len(l.req.Inputs); n > genesis.MaxLoggedInputs {
		return tooMany("inputs", n, genesis.MaxLoggedInputs)
	}
	found := map[genesis.Ref]*input{}
	for _, in := range l.req.Inputs {
		of := found[in.Ref]
		if of == nil {
			var err error
			if of, err = l.input(ctx, in.Ref); err != nil {
				return err
			}
			found[in.Ref] = of
		}
		if err := of.holds(in); err != nil {
			return err
		}
		in.Ref = of.Ref()
		l.inputs = append(l.inputs, in)
	}
	l.asks = append(l.asks, access.Ask{Principal: l.who, Action: genesis.Steward, Resource: access.Resource{Name: l.req.Name}})
	if err := l.s.may(ctx, l.who, genesis.Steward, l.req.Name); err != nil {
		return err
	}
	for _, in := range l.req.Inputs { // of those that the caller may read
		if in.Ref.Digest == "" {
			return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: in.Ref.String(), Msg: "does not name the version by its digest",
				Hint: "it is now " + found[in.Ref].Ref().String() + "; name what the model was trained on"}
		}
	}
	return nil
}

// input is a version that a model was trained on.
type input struct {
	genesis.Version
	tables, splits []string
}

// input decides about one version. That it may not be trained on is no refusal: it
// would undo no training, and keep what was made of it from owing anything. The
// steward of the model is told.
func (l *logging) input(ctx context.Context, ref genesis.Ref) (*input, error) {
	v, d, err := l.s.enter(ctx, l.who, genesis.Read, ref.String())
	if err != nil {
		return nil, err
	}
	l.asks = append(l.asks, d.Ask)
	if !slices.ContainsFunc(l.parents, func(p genesis.Version) bool { return p.Ref() == v.Ref() }) {
		l.parents = append(l.parents, v)
	}
	_, err = l.s.Access.Decide(ctx, l.s.ask(l.who, genesis.TrainOn, resource(v)))
	if isRefusal(err) {
		l.unlearnt = append(l.unlearnt, v.Ref().String())
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return l.s.input(ctx, v)
}

// input reads what a version has that one may say was trained on.
func (s *Service) input(ctx context.Context, v genesis.Version) (*input, error) {
	m, err := s.Catalog.Manifest(ctx, v)
	if err != nil {
		return nil, err
	}
	in := &input{Version: v}
	for _, t := range m.Tables {
		in.tables = append(in.tables, t.Name)
	}
	var splits []genesis.Split
	if err := s.Catalog.Record(ctx, v, genesis.RecordSplits, &splits); err != nil && genesis.KindOf(err) != genesis.NotFound {
		return nil, err
	}
	for _, sp := range splits {
		in.splits = append(in.splits, sp.Name)
	}
	return in, nil
}

// holds checks that an input has the table and the split that are said to be of it.
func (in *input) holds(said genesis.LoggedInput) error {
	wrong := func(subject, msg string, known []string) error {
		return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: cutText(subject), Msg: msg + " " + in.Ref().String(), Hint: "it has " + listed(known)}
	}
	if said.Table != "" && !slices.Contains(in.tables, said.Table) || said.Split != "" && len(in.tables) == 0 {
		return wrong(cmp.Or(said.Table, said.Split), "is no table, nor of a table, of", in.tables)
	}
	if i := strings.LastIndexByte(said.Split, '/'); i >= 0 && !slices.Contains(in.splits, said.Split[:i]) {
		return wrong(said.Split[:i], "is no split of", in.splits)
	}
	return nil
}

// take stores the parts and commits the version.
func (l *logging) take(ctx context.Context) (v genesis.Version, unchanged bool, err error) {
	if err := l.store(ctx); err != nil {
		return v, false, err
	}
	l.s.stating.Lock() // two that say something of the same parts at once are both kept
	defer l.s.stating.Unlock()
	in, err := l.commit(ctx)
	if err != nil {
		return v, false, err
	}
	staged, err := l.s.Catalog.Stage(ctx, in)
	if err != nil {
		return v, false, err
	}
	defer func() { _ = staged.Close() }()
	if ctx.Err() != nil {
		return v, false, canceledLogging(ctx.Err())
	}
	err = l.s.act(ctx, l.who, "log-model", func(tx *sql.Tx, e *journal.Event) error {
		if v, unchanged, err = l.s.commitTx(ctx, tx, staged, l.parents); err != nil {
			return err
		}
		e.Subject, e.Version, e.Detail = string(v.Name), v.Digest, detail(l.evidence())
		return nil
	})
	return v, unchanged, err
}

func canceledLogging(err error) error {
	return &genesis.Error{Op: "log model", Kind: genesis.Canceled, Msg: "stopped before the end; nothing was kept", Err: err}
}

// evidence is what the journal keeps of it.
func (l *logging) evidence() any {
	refs := []string{}
	for _, p := range l.parents {
		refs = append(refs, p.Ref().String())
	}
	return map[string]any{"framework": l.req.Framework, "inputs": refs, "not_for_training": l.unlearnt, "parts": len(l.parts), "bytes": l.bytes}
}

// store keeps the bytes of the parts, and looks at their headers as they are kept.
func (l *logging) store(ctx context.Context) error {
	l.manifest = genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Model, Parts: map[string]genesis.Digest{}}
	l.layout = genesis.Layout{Format: 1, Parts: map[string]genesis.Blob{}}
	var total int64
	for _, raw := range l.parts {
		total += raw.Size
	}
	for _, name := range slices.Sorted(maps.Keys(l.parts)) {
		raw := l.parts[name]
		b, err := l.keep(ctx, raw, total)
		if err != nil {
			return err
		}
		as, err := l.partFormat(ctx, name, b)
		if err != nil {
			return err
		}
		l.manifest.Parts[name], l.layout.Parts[name] = b.Digest, b
		l.report.Parts = append(l.report.Parts, genesis.LoggedPart{Name: name, Bytes: b.Size, Format: as, Code: learn.RunsCode(as)})
		l.sources = append(l.sources, genesis.Source{Path: raw.Name, Digest: b.Digest, Bytes: b.Size, Format: as})
	}
	return nil
}

func (l *logging) keep(ctx context.Context, raw *format.Raw, total int64) (genesis.Blob, error) {
	w, err := l.s.Blobs.Create(ctx)
	if err != nil {
		return genesis.Blob{}, err
	}
	defer func() { _ = w.Abort() }()
	buf := make([]byte, 1<<20)
	for at := int64(0); at < raw.Size; {
		n, err := raw.At.ReadAt(buf[:min(int64(len(buf)), raw.Size-at)], at)
		if n == 0 {
			return genesis.Blob{}, &genesis.Error{Op: "read part", Kind: genesis.Unavailable, Subject: raw.Name, Msg: "cannot be read to the end that it had", Err: err}
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return genesis.Blob{}, err
		}
		at += int64(n)
		l.bytes += int64(n)
		l.p.Send(genesis.Event{Stage: "storing", Done: l.bytes, Total: total, Unit: "bytes"})
	}
	return w.Commit()
}

func (l *logging) partFormat(ctx context.Context, name string, b genesis.Blob) (string, error) {
	r, err := l.s.Blobs.Open(ctx, b)
	if err != nil {
		return "", err
	}
	defer r.Close()
	return learn.PartFormat(name, r, b.Size)
}

// commit is what the catalogue is to keep. What was stated before of a version of just
// these parts is kept beside what is stated now.
func (l *logging) commit(ctx context.Context) (catalog.Commit, error) {
	text, _, err := catalog.EncodeManifest(l.manifest)
	if err != nil {
		return catalog.Commit{}, err
	}
	before := genesis.Version{Name: l.req.Name, Digest: genesis.DigestOf(text)}
	records := map[genesis.RecordKind]any{}
	var report genesis.ModelReport
	var findings []genesis.Finding
	switch err := l.s.Catalog.Record(ctx, before, genesis.RecordReport, &report); genesis.KindOf(err) {
	case genesis.NotFound:
		card := l.s.card(ctx, l.req.Name)
		if l.req.Description != "" {
			card.Description = l.req.Description
		}
		records[genesis.RecordCard] = card
	case "":
		if report.Logged == nil {
			return catalog.Commit{}, &genesis.Error{Op: "log model", Kind: genesis.Conflict, Subject: before.Ref().String(), Msg: "just these parts were trained here",
				Hint: "it is in the catalogue already: `genesis show " + l.req.Name.Arg() + "`"}
		}
		if err := l.s.Catalog.Record(ctx, before, genesis.RecordFindings, &findings); err != nil && genesis.KindOf(err) != genesis.NotFound {
			return catalog.Commit{}, err
		}
		if l.asksAnew(*report.Logged) {
			findings = slices.DeleteFunc(findings, func(f genesis.Finding) bool { return f.ID == codeUntrained })
		}
		if l.recall(*report.Logged); len(l.inputs) > 10*genesis.MaxLoggedInputs {
			return catalog.Commit{}, tooMany("inputs, with those stated before,", len(l.inputs), 10*genesis.MaxLoggedInputs)
		}
	default:
		return catalog.Commit{}, err
	}
	l.state()
	now := time.Now().UTC()
	records[genesis.RecordReport] = modelReport(l.report)
	records[genesis.RecordFindings] = l.findings(findings)
	records[genesis.RecordProvenance] = genesis.Provenance{Sources: l.sources, Parents: l.parentRefs(), Software: l.software(), Started: now, Ended: now, By: l.s.by(l.who)}
	return catalog.Commit{Name: l.req.Name, Kind: genesis.Model, Manifest: l.manifest, Layout: l.layout, Parents: l.parents, By: l.s.by(l.who), Bytes: l.bytes, Records: records}, nil
}

// asksAnew reports whether there are inputs that may not be trained on beside those that
// were stated before: an answer was not about them.
func (l *logging) asksAnew(before genesis.LoggedReport) bool {
	return slices.ContainsFunc(l.unlearnt, func(ref string) bool {
		return !slices.ContainsFunc(before.Inputs, func(in genesis.LoggedInput) bool { return in.Ref.String() == ref })
	})
}

// recall adds inputs that were stated before.
func (l *logging) recall(before genesis.LoggedReport) {
	for _, in := range before.Inputs {
		if !slices.Contains(l.inputs, in) {
			l.inputs = append(l.inputs, in)
		}
	}
}

// state fills in what was stated.
func (l *logging) state() {
	r, q := &l.report, l.req
	r.Framework, r.FrameworkVersion, r.Targets, r.Code, r.Parameters = q.Framework, q.FrameworkVersion, q.Targets, q.Code, q.Parameters
	r.Inputs = append([]genesis.LoggedInput{}, l.inputs...)
	r.Metrics = append([]genesis.LoggedMetric{}, q.Metrics...)
	r.InputsStated = len(r.Inputs) > 0
}

// modelReport is the report of a model of which nothing was measured here.
func modelReport(l genesis.LoggedReport) genesis.ModelReport {
	return genesis.ModelReport{Format: 1, Inputs: []genesis.Column{}, Targets: []genesis.TargetReport{}, Curve: []genesis.CurvePoint{}, Logged: &l}
}

func (l *logging) parentRefs() []genesis.Ref {
	var refs []genesis.Ref
	for _, in := range l.report.Inputs {
		if !slices.Contains(refs, in.Ref) {
			refs = append(refs, in.Ref)
		}
	}
	return refs
}

func (l *logging) software() string {
	if l.req.Framework == "other" {
		return l.s.Software
	}
	return strings.TrimSpace(l.req.Framework + " " + l.req.FrameworkVersion)
}

// codeUntrained is the finding of inputs that may be read and not trained on.
const codeUntrained = "not-for-training"

// findings are what a person should know, or answer, before the model is published.
// before are those of just these parts.
func (l *logging) findings(before []genesis.Finding) []genesis.Finding {
	name := l.req.Name.Arg()
	all := []genesis.Finding{}
	if !l.report.InputsStated {
		all = append(all, genesis.Finding{ID: "inputs-not-stated", Code: "inputs-not-stated", Severity: genesis.Ask,
			Message: "inputs not stated: nobody said what the model was trained on, so it owes nothing to anybody",
			Hint:    "log it again with its inputs; or `genesis answer " + name + ` inputs-not-stated "…"` + "` says why there are none"})
	}
	if len(l.unlearnt) > 0 || slices.ContainsFunc(before, func(f genesis.Finding) bool { return f.ID == codeUntrained }) {
		all = append(all, genesis.Finding{ID: codeUntrained, Code: codeUntrained, Severity: genesis.Ask,
			Message: "who logged it may read an input, and not train on it",
			Hint:    "`genesis answer " + name + " " + codeUntrained + ` "…"` + "` says who agreed"})
	}
	for _, part := range l.report.Parts {
		if part.Code {
			all = append(all, genesis.Finding{ID: "code-in-part:" + part.Name, Code: "code-in-part", Severity: genesis.Warn, Source: part.Name,
				Message: part.Name + " (" + part.Format + ") is code: loading it runs what is in it", Hint: "load it only if you trust who made it; safetensors and ONNX run nothing"})
		}
	}
	keepAnswers(slices.DeleteFunc(before, func(f genesis.Finding) bool { return f.Answer == "" }), all)
	return all
}
