package genesis

import (
	"testing"
)

func TestPurposeIn(t *testing.T) {
	for condition, want := range map[string]string{
		`purpose == "diabetes study"`:                                             "diabetes study",
		`purpose=='wakes'`:                                                        "wakes",
		`principal.sector != "industry" && (purpose == "wakes")`:                  "wakes",
		`now < timestamp("2027-01-01T00:00:00Z") && purpose == "a" && now == now`: "a",
		`purpose != "wakes"`:                                                      "",
		`!(purpose == "wakes")`:                                                   "",
		`!(now == now && purpose == "a" && 1 == 1)`:                               "",
		`purpose == "a" || purpose == "b"`:                                        "",
		`principal.student ? purpose == "a" : true`:                               "",
		`purpose == "a\n"`:                                                        "",
		`purpose.startsWith("wake")`:                                              "",
		`principal.subject == "purpose == \"wakes\""`:                             "",
		``: "",
	} {
		if got := PurposeIn(condition); got != want {
			t.Errorf("%s: %q, want %q", condition, got, want)
		}
	}
}
