package experiments

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"spotlighter/experiments/runfmt"
	"spotlighter/internal/atomicfile"
)

// Env is where a run's numbers come from: the weights, and one Session for
// each process that worked on it.
type Env struct {
	Weights  string    `json:"weights"` // hash of the pretrained weights / what tells the data apart
	Sessions []Session `json:"sessions"`
}

// Session is one process.
type Session struct {
	Version  string    `json:"version"`  // of the program's module
	Revision string    `json:"revision"` // of its sources, "" if the build does not know
	Dirty    bool      `json:"dirty"`    // the sources had changes of their own
	Go       string    `json:"go"`
	Platform string    `json:"platform"`
	CPU      string    `json:"cpu"`
	Threads  int       `json:"threads"`
	Host     string    `json:"host"`
	Command  []string  `json:"command"`
	Started  time.Time `json:"started"`
}

func newSession(threads int) Session {
	s := Session{
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		CPU:      cpuModel(),
		Threads:  cmp.Or(threads, runtime.GOMAXPROCS(0)),
		Command:  os.Args,
		Started:  time.Now().UTC().Truncate(time.Second),
	}
	s.Host, _ = os.Hostname() // "" says that it is not known
	if info, ok := debug.ReadBuildInfo(); ok {
		s.Version = info.Main.Version
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				s.Revision = setting.Value
			case "vcs.modified":
				s.Dirty = setting.Value == "true"
			}
		}
	}
	return s
}

// CPU is the processor's name, or its architecture where that is all that is known.
func CPU() string { return cmp.Or(cpuModel(), runtime.GOARCH) }

// checkWeights refuses to go on from a run that other weights began.
func (r *Run) checkWeights(hash string) error {
	env, err := r.readEnv()
	if err != nil {
		return err
	}
	if len(env.Sessions) == 0 || env.Weights == hash || r.state == New {
		return nil
	}
	before, _, _ := strings.Cut(env.Weights, "/")
	if now, _, _ := strings.Cut(hash, "/"); before == now {
		return fmt.Errorf("%s: was made when dataset %s was another; move it away", r.Dir, r.Config.Dataset[0])
	}
	return fmt.Errorf("%s: was made from other weights (hash %.8s, now %.8s) at clip.weights %s; move it away",
		r.Dir, env.Weights, hash, r.Config.Clip.Weights)
}

// logEnv adds this process to env.json; a run that starts anew forgets the others.
func (r *Run) logEnv(weights string) error {
	var env Env
	if r.state != New {
		var err error
		if env, err = r.readEnv(); err != nil {
			return err
		}
	}
	env.Weights = weights
	env.Sessions = append(env.Sessions, newSession(r.Config.Threads))
	text, err := json.MarshalIndent(env, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", r.path(runfmt.EnvFile), err)
	}
	return atomicfile.WriteBytes(r.path(runfmt.EnvFile), append(text, '\n'))
}

func (r *Run) readEnv() (Env, error) {
	var env Env
	text, err := os.ReadFile(r.path(runfmt.EnvFile))
	if errors.Is(err, fs.ErrNotExist) {
		return env, nil
	}
	if err != nil {
		return env, err
	}
	if err := json.Unmarshal(text, &env); err != nil {
		return env, fmt.Errorf("%s: not JSON (%v); move the folder away", r.path(runfmt.EnvFile), err)
	}
	return env, nil
}
