.PHONY: build python test race lint bench bench-peers tables histories fuzz ci cover release

export CGO_ENABLED = 0

build: ## the binary, for this machine
	go build -trimpath -o bin/genesis ./cmd/genesis

python: ## the Python package: mypy, tests against a node built here
	clients/python/ci.sh

test: ## what the README says
	go test ./...

race: ## the same with the race detector
	CGO_ENABLED=1 go test -race ./...

lint: ## gofmt, go vet, staticcheck, govulncheck
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	go vet ./...
	cd test && go build -o ../bin/ honnef.co/go/tools/cmd/staticcheck golang.org/x/vuln/cmd/govulncheck
	bin/staticcheck ./...
	bin/govulncheck ./...

bench: ## docs/benchmarks.md: ratios against named peers, from interleaved pairs
	cd test && go run ./bench -out ../docs/benchmarks.md

PEERS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/genesis/bench-peers

bench-peers: ## the loaders that `go run ./bench -only loaders` measures beside ours; some 7 GB
	python3 -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --requirement test/bench/loaders/requirements.txt
	$(PEERS)/bin/pip install --quiet --no-deps --requirement test/bench/loaders/no-deps.txt

tables: ## docs/results.md: accuracy on published splits, from stored runs
	cd test && go run ./tables -out ../docs/results.md

histories: ## a thousand seeded histories of a federation with faults
	go test ./internal/node -run 'TestHistories$$' -timeout 2h -args -histories 1000

fuzz: ## every fuzz target for FUZZTIME each (default 1m)
	sh test/fuzz.sh $(or $(FUZZTIME),1m)

release: ## dist/: archives for all platforms, SBOMs, SHA256SUMS; same commit, same bytes
	rm -rf dist
	cd test && go run ./release -source .. -out ../dist

ci: ## everything a change must pass
	.ci/run
