package genesis

import (
	"slices"
	"time"
)

// Tier is how widely a version is open, from public to restricted.
// docs/policy.md says what each permits.
type Tier string

const (
	TierPublic     Tier = "public"     // anyone
	TierRegistered Tier = "registered" // anyone a member node vouches for
	TierPartner    Tier = "partner"    // named institutions or sectors
	TierControlled Tier = "controlled" // holders of a grant; registered people may discover it and ask
	TierRestricted Tier = "restricted" // holders of a grant; to others it does not exist; bytes never leave
)

// Tiers are all tiers, widest first.
var Tiers = []Tier{TierPublic, TierRegistered, TierPartner, TierControlled, TierRestricted}

// Wider reports whether t is open to more people than other.
func (t Tier) Wider(other Tier) bool { return slices.Index(Tiers, t) < slices.Index(Tiers, other) }

// TermsFormat is the format number of the terms this program writes.
const TermsFormat = 1

// Terms are the conditions under which a published version is open: what its
// steward decided, and what decisions are made from. The vocabularies of
// sensitivity, export control, agreement kind and use are those of the Genesis
// Mission Data Card 1.2.
type Terms struct {
	Format        int           `json:"format"`
	Tier          Tier          `json:"tier"`
	Partners      []string      `json:"partners,omitempty"` // tier partner: sectors and member ids
	Openings      []Opening     `json:"openings,omitempty"` // in order of time, each wider than the one before
	Hidden        bool          `json:"hidden,omitempty"`   // tier controlled: only holders of a grant discover it
	Agreement     *Agreement    `json:"agreement,omitempty"`
	Uses          Uses          `json:"uses"`
	Sensitivity   Sensitivity   `json:"sensitivity"`
	ExportControl ExportControl `json:"export_control"`
	Training      TrainingTerms `json:"training"`
	By            PersonID      `json:"by"` // the steward whose terms these are
	At            time.Time     `json:"at"`
}

// Opening widens a version at a date that was planned before.
type Opening struct {
	At   time.Time `json:"at"` // 00:00 UTC of the day
	Tier Tier      `json:"tier"`
}

// TierAt returns the tier in force at a time: that of the last opening due.
func (t Terms) TierAt(at time.Time) Tier {
	tier := t.Tier
	for _, o := range t.Openings {
		if !o.At.After(at) && o.Tier.Wider(tier) {
			tier = o.Tier
		}
	}
	return tier
}

// Agreement is a text that whoever asks for access accepts by its digest.
type Agreement struct {
	Kind   AgreementKind `json:"kind"`
	Title  string        `json:"title,omitempty"` // the file's name
	Digest Digest        `json:"digest"`
	Bytes  int64         `json:"bytes"`
}

// AgreementKind is AgreementTypeEnum of the Data Card.
type AgreementKind string

// AgreementKinds are all kinds of agreement.
var AgreementKinds = []AgreementKind{"DUA", "CRADA", "MOU", "NDA", "LICENSE", "WFO", "OTHER"}

// Use is YesNoConditionalEnum of the Data Card: whether a version may be used
// for something, whoever asks.
type Use string

const (
	UseYes         Use = "Yes"
	UseNo          Use = "No"          // by nobody but its stewards
	UseConditional Use = "Conditional" // with a grant that has a condition
)

// Uses say what a version may be used for; "" means Yes.
type Uses struct {
	Train    Use `json:"train,omitempty"`
	Infer    Use `json:"infer,omitempty"`
	Evaluate Use `json:"evaluate,omitempty"`
}

// Of returns the use that an action is, UseYes for those that are none.
func (u Uses) Of(a Action) Use {
	use := map[Action]Use{TrainOn: u.Train, Infer: u.Infer, Evaluate: u.Evaluate}[a]
	if use == "" {
		return UseYes
	}
	return use
}

// Sensitivity is OverallSensitivityEnum of the Data Card; "" means not said,
// which counts as Unclassified_Uncontrolled.
type Sensitivity string

const (
	SensitivityPublic Sensitivity = "Public"
	Uncontrolled      Sensitivity = "Unclassified_Uncontrolled"
	CUI               Sensitivity = "CUI"
	UCNI              Sensitivity = "UCNI"
	Classified        Sensitivity = "Classified" // a node refuses it altogether
	LegacyControlled  Sensitivity = "Legacy_Controlled"
	MixedSensitivity  Sensitivity = "Mixed"
	OtherControlled   Sensitivity = "Other_Controlled"
)

// Sensitivities are all sensitivities.
var Sensitivities = []Sensitivity{SensitivityPublic, Uncontrolled, CUI, UCNI, Classified, LegacyControlled, MixedSensitivity, OtherControlled}

// Controlled reports whether rules beyond the steward's own apply: never public
// or registered, and more than one factor at sign-in.
func (s Sensitivity) Controlled() bool {
	return s != "" && s != SensitivityPublic && s != Uncontrolled
}

// ExportControl is ExportControlBasisEnum of the Data Card; "" is not_applicable.
type ExportControl string

const (
	ITAR            ExportControl = "ITAR"
	EAR             ExportControl = "EAR"
	NuclearExport   ExportControl = "DOE_Nuclear_Export_Control"
	OtherExport     ExportControl = "Other"
	NoExportControl ExportControl = "not_applicable"
)

// ExportControls are all bases of export control.
var ExportControls = []ExportControl{ITAR, EAR, NuclearExport, OtherExport, NoExportControl}

// ExportStatuses are YesNoPendingUnknownEnum of the Data Card: what a card says of
// export control, where terms name its basis.
var ExportStatuses = []string{"Yes", "No", "Pending_Review", "Unknown"}

// Applies reports whether a person's citizenship or a licence matters.
func (e ExportControl) Applies() bool { return e != "" && e != NoExportControl }

// TrainingTerms bound what may be learnt from a version by people who may train
// on it but not read it. Zero fields mean the default.
type TrainingTerms struct {
	Splits   []string `json:"splits,omitempty"`   // approved; default: those of the version
	Features []string `json:"features,omitempty"` // approved; default: columns whose role is feature
	Targets  []string `json:"targets,omitempty"`  // approved; default: columns whose role is target
	MinRows  int      `json:"min_rows,omitempty"` // default 100
	Runs     int      `json:"runs,omitempty"`     // per person and version, or node whose people no grant names; default 20
}

// The defaults of TrainingTerms, and the least group whose figures are told.
const (
	DefaultMinRows = 100
	DefaultRuns    = 20
	LeastGroup     = 10 // k: vocabulary entries and group figures below it are dropped
)

// PublishRequest publishes a draft under terms, or gives a published version
// new ones. Fields left empty take those of the latest published version of the
// name.
type PublishRequest struct {
	Tier          Tier           `json:"tier,omitempty"`
	Partners      []string       `json:"partners,omitempty"`
	Openings      []Opening      `json:"openings,omitempty"`
	NoOpenings    bool           `json:"no_openings,omitempty"` // withdraw the openings that are not due yet
	Hidden        *bool          `json:"hidden,omitempty"`
	Agreement     *AgreementText `json:"agreement,omitempty"`
	Uses          *Uses          `json:"uses,omitempty"`
	Sensitivity   Sensitivity    `json:"sensitivity,omitempty"`
	ExportControl ExportControl  `json:"export_control,omitempty"`
	Training      *TrainingTerms `json:"training,omitempty"`
}

// AgreementText is an agreement with its text, as a steward hands it in.
type AgreementText struct {
	Kind  AgreementKind `json:"kind"`
	Title string        `json:"title,omitempty"`
	Text  string        `json:"text"`
	// Digest is that of the text, as a node tells it: what a request names to accept it.
	Digest Digest `json:"digest,omitempty" doc:"of the text, by which a request accepts it; told by the node"`
}

// PublishedVersion is the outcome of publish.
type PublishedVersion struct {
	Version Version `json:"version"`
	Terms   Terms   `json:"terms"`
}

// Constraint is what a version owes to one of those it was made from.
type Constraint struct {
	Source  Ref      `json:"source"`
	Terms   Terms    `json:"terms"`             // of the source, as they are now
	Lowered *Lowered `json:"lowered,omitempty"` // what replaces them
}

// Lowered is a steward's consent that a derived version be open more widely
// than the input whose constraint it is.
type Lowered struct {
	Tier   Tier      `json:"tier"`
	By     PersonID  `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// Conditions are the terms of a version and what it owes to its inputs.
type Conditions struct {
	Version     Version      `json:"version"`
	Terms       *Terms       `json:"terms,omitempty"` // none: never published
	Tier        Tier         `json:"tier,omitempty"`  // in force now
	Constraints []Constraint `json:"constraints,omitempty"`
	Projects    []string     `json:"projects,omitempty"` // for which it was made: their people use it as who made it
	You         []Action     `json:"you"`                // what the asker may do
	Unmet       []Grant      `json:"unmet,omitempty"`    // that would let them do more, if their conditions held
}

// LowerRequest consents to a derived version being open more widely than one
// of its inputs.
type LowerRequest struct {
	Source string `json:"source"` // Ref of the input whose constraint is lowered
	Tier   Tier   `json:"tier"`   // instead of the input's own
	Reason string `json:"reason"`
}
