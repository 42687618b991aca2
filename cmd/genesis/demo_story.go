package main

import (
	"os"
	"path/filepath"

	"github.com/opengenesis/genesis"
)

// cast is who acts in the story.
type cast struct {
	lab, university, company actor // the owners of the nodes
	sam, rosa, chen          actor // steward, researcher, chemist
	olga, maya               actor // officer, programme manager
}

// story plays all of it.
func (d *demo) story() error {
	c, err := d.cast()
	if err != nil {
		return err
	}
	for _, chapter := range []func(*cast) error{d.joins, d.readies} {
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
		who actor
		set sample
	}{{c.sam, samples["solar"]}, {c.university, samples["weather"]}} {
		if _, err := d.prepares(of.who, of.set, []string{"Prepared"}); err != nil {
			return err
		}
		if _, err := d.does(of.who, []string{"published"}, "publish", of.set.name, "--tier", "public"); err != nil {
			return err
		}
	}
	return d.holds(true, "two more are open to everybody")
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
