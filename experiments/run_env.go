package experiments

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"spotlighter/experiments/runfmt"
	"spotlighter/internal/atomicfile"
	"spotlighter/internal/version"
)

// Env is where a run's numbers come from: the weights, and one Session for
// each process that worked on it.
type Env struct {
	Weights string `json:"weights"` // hash of the pretrained weights / what tells the data apart
	// Data is the SHA-256 of what each data set lists: classes, images, labels.
	Data     map[string]string `json:"data,omitempty"`
	Sessions []Session         `json:"sessions"`
}

// Session is one process.
type Session struct {
	Version string `json:"version"` // of the program
	// Revision is the commit of the program's sources, and Dirty says that they had
	// changes of their own: as it was built, or else (RevisionOf) as the sources
	// are that it was started in. "" is not known.
	Revision   string    `json:"revision"`
	RevisionOf string    `json:"revision_of"`
	Dirty      bool      `json:"dirty"`
	Go         string    `json:"go"`
	Platform   string    `json:"platform"`
	CPU        string    `json:"cpu"`
	GPU        string    `json:"gpu"` // such as "cuda:0, NVIDIA H100 PCIe, fp32 by cuBLAS 12.9.1"; "none" where the CPU computed
	Threads    int       `json:"threads"`
	Host       string    `json:"host"`
	Command    []string  `json:"command"`
	Started    time.Time `json:"started"`
}

// thisSession is this process, asked for once: it may run many cells.
var thisSession = sync.OnceValue(newSession)

func newSession() Session {
	s := Session{
		Version:  version.Number,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		CPU:      cpuModel(),
		GPU:      "none",
		Command:  os.Args,
		Started:  time.Now().UTC().Truncate(time.Second),
	}
	s.Host, _ = os.Hostname() // "" says that it is not known
	if s.Revision, s.Dirty = version.Revision(); s.Revision != "" {
		s.RevisionOf = "build"
	} else if dir, ok := sources(); ok {
		s.Revision, s.Dirty, s.RevisionOf = gitState(dir)
	}
	return s
}

// CPU is the processor's name, or its architecture where that is all that is known.
func CPU() string { return cmp.Or(cpuModel(), runtime.GOARCH) }

// sources is the folder of this program's sources, if it was started in or below.
func sources() (string, bool) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
			return dir, strings.HasPrefix(string(text), "module spotlighter\n")
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return "", false
}

// gitState asks git for the commit of the sources in dir; nothing is known
// where there is no git or no repository.
func gitState(dir string) (revision string, dirty bool, of string) {
	git := func(args ...string) (string, error) {
		out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	revision, err := git("rev-parse", "HEAD")
	if err != nil {
		return "", false, ""
	}
	changes, err := git("status", "--porcelain")
	return revision, err != nil || changes != "", "sources"
}

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
	session := thisSession()
	session.Threads = cmp.Or(r.Config.Threads, runtime.GOMAXPROCS(0))
	env.Sessions = append(env.Sessions, session)
	r.session = len(env.Sessions)
	return r.writeEnv(env)
}

// LogDevice adds the device of this process, and what card it is, to env.json.
func (r *Run) LogDevice(name string) error {
	env, err := r.readEnv()
	if err != nil {
		return err
	}
	env.Sessions[r.session-1].GPU = name
	return r.writeEnv(env)
}

// LogData adds the hashes of data sets to env.json.
func (r *Run) LogData(hashes map[string]string) error {
	env, err := r.readEnv()
	if err != nil {
		return err
	}
	if env.Data == nil {
		env.Data = map[string]string{}
	}
	maps.Copy(env.Data, hashes)
	return r.writeEnv(env)
}

func (r *Run) writeEnv(env Env) error {
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
