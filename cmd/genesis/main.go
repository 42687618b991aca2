package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/node"
)

// exitUsage is the exit status of a command line that cannot be read. The
// others come from the kind of error: [genesis.ErrorKind.ExitStatus].
const exitUsage = 2

// commands is the whole command line.
type commands struct {
	Home string `help:"The folder that holds everything the node keeps." placeholder:"DIR" env:"GENESIS_HOME"`
	At   string `help:"Use the node at this URL instead of a home; $$GENESIS_TOKEN signs in. Or the id of a member of the federation, to which your own node vouches for you." placeholder:"URL|NODE" env:"GENESIS_NODE"`
	For  string `help:"What you do this for: conditions of grants may ask for it, and the audit log keeps it." placeholder:"PURPOSE" env:"GENESIS_PURPOSE"`
	JSON bool   `name:"json" help:"Print one JSON object on stdout, for programs."`

	Init    initCmd    `cmd:"" help:"Make a home, or check the one there is."`
	Demo    demoCmd    `cmd:"" help:"Do the whole job on sample data: prepare, train, predict."`
	Inspect inspectCmd `cmd:"" help:"Say what raw files are and hold, from a sample; store nothing."`
	Prepare prepareCmd `cmd:"" help:"Make raw files into a draft dataset version."`
	Answer  answerCmd  `cmd:"" help:"Answer a finding that needs a person."`
	Card    cardCmd    `cmd:"" help:"Show or change a version's card."`
	Show    showCmd    `cmd:"" help:"Show everything about a dataset or model."`
	List    listCmd    `cmd:"" help:"List datasets and models."`
	Search  searchCmd  `cmd:"" help:"Find datasets and models, here and at other nodes."`
	Similar similarCmd `cmd:"" help:"Find what is like a dataset or model."`
	Pull    pullCmd    `cmd:"" help:"Copy a version of another node."`
	Export  exportCmd  `cmd:"" help:"Write a table of a version as Parquet or CSV."`
	Diff    diffCmd    `cmd:"" help:"Compare two versions: schema, rows, distributions."`
	Train   trainCmd   `cmd:"" help:"Train a neural network on a dataset version."`
	Predict predictCmd `cmd:"" help:"Apply a model to a raw file."`
	Model   modelCmd   `cmd:"" help:"Take in models that were trained elsewhere, and download them."`
	Verify  verifyCmd  `cmd:"" help:"Re-hash everything a version consists of."`
	Runs    runsCmd    `cmd:"" help:"List runs, or show one."`
	Logs    logsCmd    `cmd:"" help:"Show the log of a run."`
	Cancel  cancelCmd  `cmd:"" help:"Stop a run."`

	Publish  publishCmd  `cmd:"" help:"Publish a version under terms."`
	Terms    termsCmd    `cmd:"" help:"Show under which terms a version is open."`
	Withdraw withdrawCmd `cmd:"" help:"Withdraw a published version."`
	Erase    eraseCmd    `cmd:"" help:"Erase a version; a tombstone stays."`
	Lower    lowerCmd    `cmd:"" help:"Consent to a derived version being open more widely than an input."`
	Grant    grantCmd    `cmd:"" help:"Let somebody do something to an asset."`
	Grants   grantsCmd   `cmd:"" help:"List grants."`
	Revoke   revokeCmd   `cmd:"" help:"Take a grant back."`
	Request  requestCmd  `cmd:"" help:"Ask for access to an asset."`
	Requests requestsCmd `cmd:"" help:"List requests for access, or show one."`
	Say      sayCmd      `cmd:"" help:"Write to the other side of a request."`
	Approve  approveCmd  `cmd:"" help:"Approve a request for access."`
	Deny     denyCmd     `cmd:"" help:"Deny a request for access."`
	Explain  explainCmd  `cmd:"" help:"Say what decides whether somebody may do something."`

	Login      loginCmd      `cmd:"" help:"Sign in at a node elsewhere."`
	Logout     logoutCmd     `cmd:"" help:"Sign out at a node elsewhere."`
	Whoami     whoamiCmd     `cmd:"" help:"Say who the node takes you for."`
	Account    accountCmd    `cmd:"" help:"Make and change accounts."`
	Token      tokenCmd      `cmd:"" help:"Make and revoke tokens for programs."`
	Project    projectCmd    `cmd:"" help:"Make and end projects."`
	Members    membersCmd    `cmd:"" help:"List the institutions of the federation."`
	Federation federationCmd `cmd:"" help:"Make, join and change a federation of nodes."`
	Audit      auditCmd      `cmd:"" help:"Read and verify the audit log."`
	Report     reportCmd     `cmd:"" help:"Say what the node did in a quarter."`
	Purge      purgeCmd      `cmd:"" help:"Remove a version's bytes for good, after a spill."`
	GC         gcCmd         `cmd:"" name:"gc" help:"Remove bytes that nothing refers to."`
	Serve      serveCmd      `cmd:"" help:"Serve the home over HTTP until stopped."`
	Worker     workerCmd     `cmd:"" hidden:"" help:"Compute one run, for a node."`
	Hold       holdCmd       `cmd:"" hidden:"" help:"Serve the home until the standard input ends, for a program."`
	Backup     backupCmd     `cmd:"" help:"Copy the home while it is served."`
	Restore    restoreCmd    `cmd:"" help:"Make a home from a backup."`
	Health     healthCmd     `cmd:"" help:"Say whether the node that serves the home is ready."`
	Version    versionCmd    `cmd:"" help:"Say which Genesis this is."`
}

const about = `Makes raw laboratory files into AI-ready datasets, trains neural networks on them and predicts.`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, node.Options{}))
}

// run executes one command line and returns its exit status.
func run(args []string, in *os.File, out, errOut io.Writer, opt node.Options) (status int) {
	defer catchExit(&status)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	ctx, stop := interruptible(context.Background())
	defer stop()
	a := &app{ctx: ctx, in: in, out: out, err: errOut, options: opt, as: fromEnvironment()}
	line, err := a.parse(args)
	if err != nil {
		complain(errOut, &genesis.Error{Msg: err.Error(), Hint: usageHint(err)})
		return exitUsage
	}
	err = line.Run(a)
	if err != nil {
		err = settled(ctx, err)
		complain(errOut, err)
	}
	stop()
	a.close()
	return genesis.KindOf(err).ExitStatus()
}

// parse reads a command line into a.
func (a *app) parse(args []string) (*kong.Context, error) {
	var cmds commands
	parser, err := kong.New(&cmds, kong.Name("genesis"), kong.Description(about),
		kong.Writers(a.out, a.err), kong.Exit(exit), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		panic(err) // the struct above is wrong: every run and test sees it
	}
	line, err := parser.Parse(args)
	if err != nil {
		return nil, err
	}
	if given(line, "home") && !given(line, "at") {
		cmds.At = "" // what is said here, not $GENESIS_NODE
	}
	a.homePath, a.at, a.purpose, a.json, a.style = cmds.Home, cmds.At, cmds.For, cmds.JSON, styleFor(a.out)
	if !given(line, "home") && !isNode(a.as.node) {
		a.vouch = a.as.node
	}
	return line, nil
}

// given reports whether a flag stands on the command line.
func given(line *kong.Context, flag string) bool {
	return slices.ContainsFunc(line.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == flag })
}

// exit is called by kong after --help.
func exit(status int) { panic(exitStatus(status)) }

type exitStatus int

func catchExit(status *int) {
	switch v := recover().(type) {
	case nil:
	case exitStatus:
		*status = int(v)
	default:
		panic(v)
	}
}

func usageHint(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		return "genesis " + parse.Context.Selected().Path() + " --help"
	}
	return "genesis --help"
}

// interruptible returns a context that Ctrl-C cancels. The second Ctrl-C kills.
func interruptible(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range 2 {
			if _, ok := <-signals; !ok {
				return
			}
			if ctx.Err() != nil {
				os.Exit(genesis.Canceled.ExitStatus())
			}
			cancel()
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}

// settled makes whatever went wrong after Ctrl-C the error of that.
func settled(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return &genesis.Error{Kind: genesis.Canceled, Msg: "stopped; nothing half-done was kept", Err: err}
}

// complain prints err and what to do about it.
func complain(w io.Writer, err error) {
	var e *genesis.Error
	if !errors.As(err, &e) {
		fmt.Fprintf(w, "genesis: error: %s\n", clean(err.Error()))
		return
	}
	text := e.Error()
	if e.Value != "" {
		text += fmt.Sprintf(" (%q)", e.Value)
	}
	fmt.Fprintf(w, "genesis: error: %s\n", clean(text))
	if e.Hint != "" {
		fmt.Fprintf(w, "genesis: hint: %s\n", clean(e.Hint))
	}
}
