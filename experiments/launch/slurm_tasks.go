package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Task is what Slurm knows of a run: the latest task that has it.
type Task struct {
	ID     string // job_index
	State  string // Slurm's word: PENDING, RUNNING, FAILED, TIMEOUT, …; "" if it has forgotten
	Detail string // why it is pending, or its exit code
	Log    string // file of its output
}

// Active says that the task waits or runs, or is about to again.
func (t Task) Active() bool {
	return slices.Contains([]string{"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SPECIAL_EXIT"}, t.State)
}

// String is what the queue knows of the task, for people: job, state, detail and, once
// it is over, its last word; "" for a task that has no job.
func (t Task) String() string {
	if t.ID == "" {
		return ""
	}
	text := "job " + t.ID
	if t.State != "" {
		text += " " + strings.ToLower(t.State)
	}
	if t.Detail != "" {
		text += " (" + t.Detail + ")"
	}
	if last := LastLine(t.Log, 0); last != "" && !t.Active() {
		text += ": " + last
	}
	return text
}

// Tasks are the tasks that this sweep has submitted, by the name of their run's
// folder. What the queue no longer has is asked of the accounting, if past is
// set; where there is none, of the controller, which remembers for minutes.
func (s Slurm) Tasks(ctx context.Context, past bool) (map[string]Task, error) {
	arrays, err := s.arrays()
	tasks := map[string]Task{}
	if err != nil || len(arrays) == 0 {
		return tasks, err
	}
	out, err := slurmCommand(ctx, "squeue", "--noheader", "--me", "--array", "--format=%F_%K|%T|%r")
	if err != nil {
		return nil, err
	}
	states := map[string]Task{}
	if past {
		states = history(ctx, arrays)
	}
	parseTasks(out, states)
	for _, a := range arrays { // later ones replace earlier ones
		for i, run := range a.runs {
			id := fmt.Sprintf("%s_%d", a.id, i+1)
			of := states[id]
			tasks[run] = Task{ID: id, State: of.State, Detail: of.Detail, Log: fmt.Sprintf("%s-%d.log", a.base, i+1)}
		}
	}
	return tasks, nil
}

// array is a job array that was submitted.
type array struct {
	base string // of its files
	id   string
	runs []string // names of the run folders, by task
}

// arrays are those of the sweep, in the order of their submission.
func (s Slurm) arrays() ([]array, error) {
	entries, err := os.ReadDir(filepath.Join(s.Dir, slurmFolder)) // in the order of the names, which are numbers
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []array
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".job")
		if !ok {
			continue
		}
		a := array{base: filepath.Join(s.Dir, slurmFolder, name)}
		id, err := os.ReadFile(a.base + ".job")
		if err != nil {
			return nil, err
		}
		cells, err := os.ReadFile(a.base + ".cells")
		if err != nil {
			return nil, err
		}
		a.id = strings.TrimSpace(string(id))
		for line := range strings.Lines(string(cells)) {
			a.runs = append(a.runs, strings.TrimSuffix(filepath.Base(strings.TrimSpace(line)), ".yaml"))
		}
		list = append(list, a)
	}
	return list, nil
}

// parseTasks reads lines of id|state|detail into states.
func parseTasks(text string, states map[string]Task) {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if len(fields) < 3 {
			continue
		}
		word, _, _ := strings.Cut(fields[1], " ") // CANCELLED by 1000
		detail := fields[2]
		if detail == "None" || detail == "0:0" {
			detail = ""
		}
		states[fields[0]] = Task{State: word, Detail: detail}
	}
}

// history asks for tasks that have ended. It is told for people's eyes only, so
// a cluster that cannot say is no error.
func history(ctx context.Context, arrays []array) map[string]Task {
	states := map[string]Task{}
	ids := make([]string, len(arrays))
	for i, a := range arrays {
		ids[i] = a.id
	}
	out, err := slurmCommand(ctx, "sacct", "--noheader", "--parsable2", "--allocations", "--format=JobID,State,ExitCode", "--jobs="+strings.Join(ids, ","))
	if err == nil {
		parseTasks(out, states)
		return states
	}
	for _, id := range ids {
		out, err := slurmCommand(ctx, "scontrol", "--oneliner", "show", "job", id)
		if err != nil {
			continue
		}
		for line := range strings.Lines(out) {
			of := map[string]string{}
			for _, field := range strings.Fields(line) {
				if key, value, ok := strings.Cut(field, "="); ok {
					of[key] = value
				}
			}
			parseTasks(fmt.Sprintf("%s_%s|%s|%s", id, of["ArrayTaskId"], of["JobState"], of["ExitCode"]), states)
		}
	}
	return states
}
