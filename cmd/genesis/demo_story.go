package main

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
)

// cast is who acts in the story.
type cast struct {
	lab, university, company actor       // the owners of the nodes
	sam, rosa, chen          actor       // steward, researcher, chemist
	olga, maya               actor       // officer, programme manager
	model                    genesis.Ref // that rosa trained
}

// story plays all of it.
func (d *demo) story() error {
	c, err := d.cast()
	if err != nil {
		return err
	}
	for _, chapter := range []func(*cast) error{d.joins, d.readies, d.finds, d.asks, d.trains, d.applies, d.ends, d.proves, d.reports} {
		if err := chapter(c); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) cast() (*cast, error) {
	lab, university, company := d.nodes[0], d.nodes[1], d.nodes[2]
	c := &cast{lab: d.owner(lab), university: d.owner(university), company: d.owner(company)}
	for _, p := range []struct {
		who         *actor
		at          *stand
		name, title string
		student     bool
		duties      []genesis.Duty
	}{
		{&c.sam, lab, "sam", "data steward", false, []genesis.Duty{genesis.DutySteward}},
		{&c.olga, lab, "olga", "security officer", false, []genesis.Duty{genesis.DutyOfficer}},
		{&c.maya, lab, "maya", "programme manager", false, []genesis.Duty{genesis.DutyManager}},
		{&c.rosa, university, "rosa", "researcher, a doctoral student", true, nil},
		{&c.chen, company, "chen", "chemist", false, nil},
	} {
		var err error
		if *p.who, err = d.hire(p.at, p.name, p.title, p.student, p.duties...); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// joins: three nodes become a federation.
func (d *demo) joins(c *cast) error {
	d.chapter("1  Three institutions, one federation", "Each runs one binary. There is no centre: a charter that its holders sign says who is a member.")
	if _, err := d.does(c.lab, nil, "federation", "create", "materials"); err != nil {
		return err
	}
	for _, guest := range []actor{c.university, c.company} {
		made, err := d.does(c.lab, nil, "federation", "invite", guest.at.institution, "--sector", string(guest.at.sector))
		if err != nil {
			return err
		}
		if _, err := d.does(guest, nil, "federation", "join", made.(*genesis.NewInvitation).Invitation); err != nil {
			return err
		}
	}
	list, err := d.does(c.company, []string{"http"}, "members")
	if err != nil {
		return err
	}
	return d.holds(len(list.(*genesis.MemberList).Members) == 3, "all three are members")
}

// sample is one of the sample files and what is said of it.
type sample struct {
	name, files, target string // files is a pattern
	card                []string
}

var samples = map[string]sample{
	"concrete": {"concrete", "materials/*.xlsx", "Compressive strength (MPa)", []string{
		"title=Compressive strength of concrete", "description=Strength of 1,000 mixtures of high-performance concrete in the laboratory.", "field=materials",
		"creators=I-Cheng Yeh", "license=CC-BY-4.0", "citation=Yeh, Cement and Concrete Research 28 (1998) 1797", "keywords=concrete,strength,mixture design", "sensitivity=Public", "export_control=No"}},
	"solar": {"solar-greensboro", "energy/*.gz", "GHI (W/m^2)", []string{
		"title=Typical meteorological year, Greensboro NC", "description=Hourly irradiance and weather of a typical year (TMY3).", "field=energy",
		"creators=S. Wilcox,W. Marion", "license=CC0-1.0", "citation=NREL/TP-581-43156", "keywords=solar,irradiance", "sensitivity=Public", "export_control=No"}},
	"tumours": {"tumours", "medicine/*.gz", "diagnosis", []string{
		"title=Cell nuclei of breast tumours", "description=Ten features of cell nuclei in fine-needle aspirates.", "field=biomedicine",
		"creators=W. Wolberg,O. Mangasarian,N. Street,W. Street", "license=CC-BY-4.0", "citation=doi:10.24432/C5DW2B", "keywords=breast cancer,cytology", "sensitivity=Public", "export_control=No"}},
	"weather": {"seattle-weather", "environment/seattle-*.csv", "T max [°C]", []string{
		"title=Daily weather of Seattle, 2012–2015", "description=Precipitation, temperature extremes and wind of four years.", "field=environment",
		"creators=NOAA National Climatic Data Center", "license=CC0-1.0", "keywords=weather,temperature", "sensitivity=Public", "export_control=No"}},
}

// readies: raw files become datasets.
func (d *demo) readies(c *cast) error {
	d.chapter("2  A laboratory's files become data for learning",
		"Sam, the steward, has a workbook of concrete mixtures. Types, units and missing codes are decided from every row, and each",
		"decision is a line of a recipe that he can read and change. He opens the dataset to nobody yet: others may know of it, and ask.")
	made, err := d.prepares(c.sam, samples["concrete"], []string{"Prepared", "MPa", "check"})
	if err != nil {
		return err
	}
	if err := d.holds(made.Version.Rows > 900, "the dataset has its rows"); err != nil {
		return err
	}
	agreement := filepath.Join(d.dir, "files", "dua.md")
	if err := os.WriteFile(agreement, []byte(demoAgreement), 0o600); err != nil {
		return err
	}
	if _, err := d.does(c.sam, []string{"published", "tier", "agreement"}, "publish", "concrete", "--tier", "controlled", "--agreement", agreement, "--splits", "random"); err != nil {
		return err
	}
	for _, of := range []struct {
		who  actor
		set  sample
		tier genesis.Tier
	}{{c.sam, samples["solar"], genesis.TierPublic}, {c.university, samples["weather"], genesis.TierPublic}, {c.university, samples["tumours"], genesis.TierRegistered}} {
		if _, err := d.prepares(of.who, of.set, []string{"Prepared"}); err != nil {
			return err
		}
		made, err := d.does(of.who, []string{"published"}, "publish", of.set.name, "--tier", string(of.tier))
		if err != nil {
			return err
		}
		if err := d.holds(made.(*genesis.PublishedVersion).Terms.Tier == of.tier, of.set.name+" is open to others"); err != nil {
			return err
		}
	}
	return nil
}

const demoAgreement = `# Data use agreement of Alder National Laboratory

Use the data for the purpose that you state. Do not try to find single mixtures out of
a model. Cite the source.
`

// prepares makes a dataset of sample files and describes it.
func (d *demo) prepares(who actor, s sample, words []string) (*genesis.Prepared, error) {
	files, err := filepath.Glob(filepath.Join(d.dir, "files", filepath.FromSlash(s.files)))
	if err != nil {
		return nil, err
	}
	args := append(append([]string{"prepare"}, files...), "--name", s.name, "--target", s.target, "--split", "random", "--seed", "1", "--no-proof")
	made, err := d.does(who, words, args...)
	if err != nil {
		return nil, err
	}
	if _, err := d.does(who, nil, append([]string{"card", "set", s.name}, s.card...)...); err != nil {
		return nil, err
	}
	return made.(*genesis.Prepared), nil
}

// finds: a researcher finds the data from her own node, and may not read them.
func (d *demo) finds(c *cast) error {
	d.chapter("3  Somebody else finds it",
		"Rosa, a doctoral student at the university, searches at her own node: it follows the catalogues of all members and checks them against",
		"signed logs. (It looks every minute; its owner has it look now.) Of what she may not know of, no answer tells.")
	for _, who := range []actor{c.university, c.company} {
		if _, err := d.follows(who, []string{"alder"}, "concrete"); err != nil {
			return err
		}
	}
	found, err := d.does(c.rosa, []string{"alder/", "dataset", "covers"}, "search", "concrete", "strength")
	if err != nil {
		return err
	}
	r := found.(*genesis.SearchResult)
	if err := d.holds(len(r.Hits) == 1 && r.Hits[0].Listing.Node == "alder", "she finds what the laboratory has"); err != nil {
		return err
	}
	return d.refused(c.rosa, refusal{genesis.Permission, []string{"to read it takes a grant"}}, "export", "alder/concrete", "--out", filepath.Join(d.dir, "rows.csv"))
}

// follows has a node look at the catalogues of others until it has a dataset of theirs.
func (d *demo) follows(who actor, words []string, name string) (any, error) {
	look := []string{"federation", "show", "--refresh"}
	end := time.Now().Add(30 * time.Second)
	for _, _, err := d.types(who, look...); time.Now().Before(end); _, _, err = d.types(who, look...) {
		if err != nil {
			return nil, err
		}
		found, _, err := d.types(who, "search", "--local", name)
		if err != nil {
			return nil, err
		}
		if len(found.(*genesis.SearchResult).Hits) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return d.does(who, words, look...)
}

// asks: she asks, and is let do one thing and not another.
func (d *demo) asks(c *cast) error {
	d.chapter("4  She asks, and the steward decides",
		"Her request goes to the laboratory as a signed message of her node, which says who she is; it would wait if the laboratory were away.",
		"Sam lets her train and predict for 90 days, for this purpose. She does not get the rows.")
	text, err := d.does(c.rosa, []string{"Use the data"}, "terms", "alder/concrete", "--agreement")
	if err != nil {
		return err
	}
	agreed := genesis.DigestOf([]byte(text.(*genesis.AgreementText).Text))
	asked, err := d.does(c.rosa, []string{"request ", "state"}, "request", "alder/concrete", "--actions", "train,infer", "--purpose", purposeOfRosa, "--accept", string(agreed))
	if err != nil {
		return err
	}
	id := asked.(*genesis.AccessRequest).ID
	if err := d.until(c.sam, func(r any) bool { return len(r.(*genesis.RequestPage).Requests) > 0 }, "requests"); err != nil {
		return err
	}
	if _, err := d.does(c.sam, []string{"lakeside/rosa"}, "requests"); err != nil {
		return err
	}
	if _, err := d.does(c.sam, []string{"granted"}, "approve", id, "--until", "90d", "--condition", "purpose == '"+purposeOfRosa+"'"); err != nil {
		return err
	}
	if err := d.until(c.rosa, func(r any) bool { return r.(*genesis.AccessRequest).State == genesis.RequestApproved }, "requests", id); err != nil {
		return err
	}
	answer, err := d.does(c.rosa, []string{"state", "granted"}, "requests", id)
	if err != nil {
		return err
	}
	return d.holds(answer.(*genesis.AccessRequest).Grant != "", "her own node knows what she was granted")
}

const purposeOfRosa = "mixture design"

// trains: the work goes to the data.
func (d *demo) trains(c *cast) error {
	d.chapter("5  The work goes to the data",
		"She trains from the university; the laboratory's computer does it, beside rows that never leave. Without the purpose that she was granted",
		"it for, it is refused. What comes out is held back, too: a model carries the terms of what it was made from.")
	train := []string{"train", "alder/concrete", "--seed", "1"}
	if err := d.refused(c.rosa, refusal{genesis.Permission, []string{"purpose"}}, train...); err != nil {
		return err
	}
	made, err := d.does(c.rosa, []string{"Trained", "net ", "forest", "90 %"}, append([]string{"--for", purposeOfRosa}, train...)...)
	if err != nil {
		return err
	}
	t := made.(genesis.Trained)
	c.model = genesis.Ref{Node: t.At, Name: t.Version.Name}
	net, ok := t.Report.Targets[0].Scores["test"]["net"]["rmse"]
	if err := d.holds(t.At == "alder" && ok && net < 6, "the model was made there, and is good: it is off by "+number(net)+" MPa"); err != nil {
		return err
	}
	return d.refused(c.rosa, refusal{genesis.Permission, []string{"pull", "to read it takes a grant"}}, "pull", "alder/concrete")
}

// applies: a company uses the model on what it will not show to anybody.
func (d *demo) applies(c *cast) error {
	d.chapter("6  A company uses the model",
		"Rosa may use her model and not have it: her rows would go to the laboratory, and it says so first. Sam looks at the model and lowers",
		"what it owes; then everybody registered may have it, and Chen's secret mixtures never leave his company.")
	candidates := filepath.Join(d.dir, "files", "materials", "new.csv")
	out := filepath.Join(d.dir, "strength.csv")
	predict := []string{"predict", c.model.String(), candidates, "--out", out}
	if err := d.refused(c.chen, refusal{genesis.NotFound, []string{string(c.model.Name), "not for you to see"}}, predict...); err != nil {
		return err
	}
	asRosa := append([]string{"--for", purposeOfRosa}, predict...)
	if err := d.refused(c.rosa, refusal{genesis.Permission, []string{"will be sent to alder; not stored", "may not be copied", "--send"}}, asRosa...); err != nil {
		return err
	}
	if _, err := d.does(c.rosa, []string{"Predicted"}, append(asRosa, "--send")...); err != nil {
		return err
	}
	name := string(c.model.Name)
	if _, err := d.does(c.sam, []string{"lowered"}, "lower", name, "--source", "concrete", "--tier", "registered", "--reason", "reviewed: no mixture can be told from it"); err != nil {
		return err
	}
	if _, err := d.does(c.sam, []string{"published", "tier"}, "publish", name, "--tier", "registered"); err != nil {
		return err
	}
	made, err := d.does(c.chen, []string{"Predicted"}, predict...)
	if err != nil {
		return err
	}
	p := made.(*genesis.Predicted)
	if err := d.holds(p.Rows == 30, "all his rows have a prediction"); err != nil {
		return err
	}
	return d.madeAt(c.chen, p.Model, c.model)
}

// madeAt shows that a prediction was made at somebody's own node: with a copy there of a
// model of another, by a run of that node.
func (d *demo) madeAt(who actor, used genesis.Version, model genesis.Ref) error {
	shown, err := d.does(who, []string{string(used.Name)}, "show", used.Ref().String())
	if err != nil {
		return err
	}
	from := shown.(*genesis.Description).Provenance
	if err := d.holds(from != nil && from.Copied != nil && from.Copied.From.Node == model.Node && from.Copied.From.Name == model.Name && from.Copied.From.Digest == used.Digest,
		"the model that was used is the copy at "+string(who.at.id)); err != nil {
		return err
	}
	runs, err := d.does(who, []string{"predict"}, "runs")
	if err != nil {
		return err
	}
	all := runs.(*genesis.RunPage).Runs
	i := slices.IndexFunc(all, func(r genesis.Run) bool { return r.Kind == genesis.RunPredict })
	return d.holds(i >= 0 && all[i].At == "" && all[i].State == genesis.RunDone && all[i].Subject == string(used.Name), "they were made at his company")
}

// ends: what was granted is taken back, at once.
func (d *demo) ends(c *cast) error {
	d.chapter("7  What was granted can be taken back", "The study is over. From the same second on nothing more can be begun under the grant, and what runs ends.")
	list, err := d.does(c.sam, nil, "grants", "concrete")
	if err != nil {
		return err
	}
	if _, err := d.does(c.sam, []string{"revoked"}, "revoke", list.(*genesis.GrantPage).Grants[0].ID, "--reason", "the study is over"); err != nil {
		return err
	}
	return d.refused(c.rosa, refusal{genesis.Permission, []string{"train", "concrete"}}, "--for", purposeOfRosa, "train", "alder/concrete", "--seed", "2")
}

// proves: an officer shows who did what, at both ends.
func (d *demo) proves(c *cast) error {
	d.chapter("8  A security officer proves who did what",
		"Olga recomputes the laboratory's log, reads who touched the data, and compares with what the university's log has of the same acts.",
		"Members keep each other's checkpoints: nobody rewrites a log unseen.")
	v, err := d.does(c.olga, []string{"sound", "root"}, "audit", "verify")
	if err != nil {
		return err
	}
	if err := d.holds(v.(*genesis.AuditVerification).Bad < 0, "the log is sound"); err != nil {
		return err
	}
	if _, err := d.does(c.olga, []string{"rosa"}, "audit", "query", "--subject", "concrete"); err != nil {
		return err
	}
	if err := d.reconciles(c.olga, "lakeside", genesis.SharedToken, genesis.SharedMessage); err != nil {
		return err
	}
	return d.reconciles(c.olga, "terrabond", genesis.SharedToken, genesis.SharedPull)
}

// reconciles has an officer compare with a peer, with which there are acts of some kinds: a
// comparison of nothing would prove nothing.
func (d *demo) reconciles(who actor, peer genesis.NodeID, kinds ...genesis.SharedKind) error {
	answer, err := d.does(who, []string{"tokens", "messages", "pulls", "its log"}, "audit", "reconcile", string(peer))
	if err != nil {
		return err
	}
	r := answer.(*genesis.Reconciliation)
	for _, kind := range kinds {
		i := slices.IndexFunc(r.Kinds, func(k genesis.ReconcileSums) bool { return k.Kind == kind })
		if err := d.holds(i >= 0 && r.Kinds[i].Both > 0, "both logs have acts of this kind in common: "+string(kind)); err != nil {
			return err
		}
	}
	return d.holds(r.Sound(), "both logs tell the same")
}
