package access

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"github.com/opengenesis/genesis"
)

// Bounds of a grant's condition: its length, how deep it nests, and what evaluating
// it may cost in CEL's own units; an ordinary condition costs a few dozen.
const (
	maxCondition  = 1000
	maxNesting    = 50
	conditionCost = 10_000
)

// condition is a compiled condition of a grant: CEL over what is known of the
// principal, the purpose they state, and the time.
type condition struct {
	program cel.Program // nil: this program cannot compile it, and it never holds
	purpose bool        // it looks at the purpose
	now     bool        // it looks at the time, so that its answer may change by itself
	here    bool        // it looks at projects, whose ids mean others at another node
}

// conditionEnv declares what a condition may speak of. The parts of the
// principal are variables of their own, so that a misspelt one is refused when the
// grant is made.
var conditionEnv = sync.OnceValues(func() (*cel.Env, error) {
	opts := []cel.EnvOption{
		ext.Strings(), cel.ParserRecursionLimit(maxNesting),
		cel.Variable("now", cel.TimestampType), cel.Variable("purpose", cel.StringType),
		cel.Variable("principal.student", cel.BoolType), cel.Variable("principal.projects", cel.ListType(cel.StringType)),
	}
	for _, name := range []string{"subject", "node", "institution", "sector", "assurance", "vetting", "citizenship"} {
		opts = append(opts, cel.Variable("principal."+name, cel.StringType))
	}
	return cel.NewEnv(opts...)
})

// compileCondition checks and compiles a condition. Errors: Invalid.
func compileCondition(text string) (*condition, error) {
	if len(text) > maxCondition {
		return nil, conditionError("", fmt.Sprintf("is longer than %d bytes", maxCondition))
	}
	env, err := conditionEnv()
	if err != nil {
		return nil, &genesis.Error{Op: "read condition", Kind: genesis.Internal, Err: err}
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, conditionError(text, strings.TrimPrefix(firstLine(issues.Err()), "ERROR: "))
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, conditionError(text, fmt.Sprintf("its value is of type %s, not true or false", checked.OutputType()))
	}
	program, err := env.Program(checked, cel.CostLimit(conditionCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, conditionError(text, err.Error())
	}
	c := &condition{program: program}
	for _, ref := range checked.NativeRep().ReferenceMap() {
		switch ref.Name {
		case "purpose":
			c.purpose = true
		case "now":
			c.now = true
		case "principal.projects":
			c.here = true
		}
	}
	return c, nil
}

func conditionError(text, msg string) error {
	return &genesis.Error{Op: "read condition", Kind: genesis.Invalid, Subject: text, Msg: msg,
		Hint: `a condition is CEL over principal, purpose and now: principal.sector == "university" && now < timestamp("2027-07-01T00:00:00Z")`}
}

// holds reports whether the condition is true. One that cannot be evaluated, or
// that costs too much, is not.
func (c *condition) holds(p genesis.Principal, now time.Time) bool {
	if c.program == nil {
		return false
	}
	v, _, _ := c.program.Eval(map[string]any{ // what fails is not true
		"now":                   now,
		"purpose":               p.Purpose,
		"principal.subject":     p.Subject,
		"principal.node":        string(p.Node),
		"principal.institution": p.Institution,
		"principal.sector":      string(p.Sector),
		"principal.assurance":   string(p.Assurance),
		"principal.vetting":     string(p.Vetting),
		"principal.citizenship": string(p.Citizenship),
		"principal.student":     p.Student,
		"principal.projects":    p.Projects,
	})
	return v == types.True
}
