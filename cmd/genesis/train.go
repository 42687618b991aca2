package main

import (
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

type trainCmd struct {
	Dataset string `arg:"" help:"The dataset version." placeholder:"REF"`

	Target   []string `help:"The column to predict (repeatable); if missing, the declared target." placeholder:"COLUMN" sep:"none"`
	Name     string   `help:"Name of the model; if missing, DATASET-TARGET, under one's own name where one may not make others." placeholder:"NAME"`
	Table    string   `help:"The table to learn from; if missing, the first." placeholder:"NAME"`
	Split    string   `help:"The split to train on; if missing, the first." placeholder:"NAME"`
	Fold     int      `help:"The held-out fold of a k-fold split, from 0." placeholder:"K"`
	Features []string `help:"Learn from these columns only." placeholder:"COLUMN,…"`
	Seed     uint64   `help:"Seed; the result depends on it and not on the number of cores." placeholder:"N"`
	Epochs   int      `help:"Most passes over the data; if missing, chosen." placeholder:"N"`
	Members  int      `help:"Networks in the ensemble; if missing, chosen." placeholder:"N"`
	Threads  int      `help:"Cores to use; if missing, all." placeholder:"N"`
	Project  string   `help:"The project for which it is done: its people may use the model as you may." placeholder:"ID"`
	There    bool     `help:"Train where another node's data are, also where they may be read." xor:"where"`
	Here     bool     `help:"Train another node's data at one's own node." xor:"where"`
	Detach   bool     `help:"Queue the training and return; genesis runs says how it goes."`
}

func (trainCmd) Help() string {
	return `Trains an ensemble of neural networks, calibrates its intervals on held-out rows and
compares it with trivial and reference predictors. A killed training goes on where
it was when the command is given again.

Examples:

    genesis train turbines --target power --name turbine-power
    genesis train turbines@3 --target power --split random --seed 7
    genesis train nrel/turbines --target power

The last trains on another node's data: there, if you may train on them but not read
them, or with --there. The model stays there, as ~YOU+YOURNODE/NAME, under the terms of
what it was trained on.`
}

func (cmd *trainCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	req := genesis.TrainRequest{
		Dataset: cmd.Dataset, Name: genesis.Name(cmd.Name), Table: cmd.Table, Target: cmd.Target, Split: cmd.Split, Fold: cmd.Fold,
		Features: cmd.Features, Seed: cmd.Seed, Epochs: cmd.Epochs, Members: cmd.Members, Threads: cmd.Threads, Project: cmd.Project,
	}
	away, err := cmd.isElsewhere(a, c)
	if err != nil {
		return err
	}
	if away {
		return cmd.elsewhere(a, c, req)
	}
	if cmd.There || cmd.Here {
		return &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: cmd.Dataset, Msg: "names no other node, so that there is no choice where", Hint: "leave out --there and --here, or name the node: nrel/turbines"}
	}
	return cmd.here(a, c, req)
}

// here trains on a dataset of the node that the command uses.
func (cmd *trainCmd) here(a *app, c *client.Client, req genesis.TrainRequest) error {
	if err := cmd.complete(a, &req); err != nil {
		return err
	}
	if cmd.Detach {
		return a.detach(genesis.RunTrain, req)
	}
	m, stop := a.progress()
	made, err := c.Train(a.ctx, req, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(made, func(p *printer) { printTrained(p, made) })
}

// complete fills in the declared target and a name, where they were not given.
func (cmd *trainCmd) complete(a *app, req *genesis.TrainRequest) error {
	ref, err := genesis.ParseRef(cmd.Dataset)
	if err != nil {
		return err
	}
	if len(req.Target) == 0 {
		if req.Target, err = declaredTarget(a, cmd.Dataset, cmd.Table); err != nil {
			return err
		}
	}
	if req.Name == "" {
		name := nameFrom(string(ref.Name) + "-" + req.Target[0])
		if req.Name, err = ownOr(a, name); err != nil {
			return err
		}
	}
	return genesis.CheckName(req.Name)
}

// ownOr is a name for something new where none was given: for stewards as it is, for
// others, who may not make it, one of their own.
func ownOr(a *app, name genesis.Name) (genesis.Name, error) {
	me, err := a.client.WhoAmI(a.ctx)
	if err != nil || !me.SignedIn() || me.Has(genesis.DutySteward) {
		return name, err
	}
	info, err := a.client.Node(a.ctx)
	if err != nil {
		return name, err
	}
	return genesis.OwnName(me.Person(), info.Node, string(name)), nil
}

func declaredTarget(a *app, ref, table string) ([]string, error) {
	d, err := a.client.Describe(a.ctx, ref)
	if err != nil {
		return nil, err
	}
	t, _ := d.Manifest.Table(table)
	var targets []string
	for _, c := range t.Columns {
		if c.Role == genesis.Target {
			targets = append(targets, c.Name)
		}
	}
	if len(targets) == 0 {
		return nil, &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: ref, Msg: "declares no target", Hint: "say what to predict: --target COLUMN"}
	}
	return targets, nil
}

func printTrained(p *printer, made *genesis.Trained) {
	p.line("Trained %s", p.style.bold(versionText(made.Version)))
	if made.Resumed {
		p.line("  %s", p.style.dim("went on from where an earlier training was stopped"))
	}
	printReport(p, &made.Report)
	p.line("\nNext: genesis predict %s FILE --out predictions.parquet", made.Version.Name.Arg())
}
