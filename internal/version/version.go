// Package version says which program this is, for its users and for the records of
// what it ran.
package version

import "runtime/debug"

// Number is the version of the program's sources. It is v0: what is exported may
// change from one minor version to the next.
const Number = "v0.1.0"

// Revision is the commit that the program was built from, and whether the sources
// had changes of their own; "" where the build does not say, as that of go run.
func Revision() (commit string, changed bool) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", false
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			commit = setting.Value
		case "vcs.modified":
			changed = setting.Value == "true"
		}
	}
	return commit, changed
}

// String is number and commit, for people.
func String() string {
	commit, changed := Revision()
	switch {
	case commit == "":
		commit = "no commit in this build"
	case changed:
		commit += " + changes"
	}
	return Number + " (" + commit + ")"
}
