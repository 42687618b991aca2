// Command release builds what a release of Genesis consists of: an archive for
// each platform, a CycloneDX SBOM of each binary, and SHA256SUMS of all of them.
//
// The same commit, built by the same Go toolchain, gives the same bytes: no path,
// name, time or order of the machine that builds gets in. Times are that of
// the commit; the version is the git tag, which the toolchain writes into the
// binary itself.
//
//	go run ./release -out ../dist
package main
