package interp

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"spotlighter/graph"
	"spotlighter/graph/cuda/kernels"
)

// recorded is a Job as a file holds it: graph's element types are no data.
type recorded struct {
	Name   string
	List   *kernels.List
	In     []value
	Want   value
	Over   int
	Tol    float64
	Status [kernels.StatusWords]int64
}

// value is a tensor, whose one slice tells its type.
type value struct {
	Shape []int
	F32   []float32
	F64   []float64
	Int   []int
}

func (v value) tensor() graph.Tensor {
	t := graph.Tensor{Shape: v.Shape, Dtype: graph.Int, F32: v.F32, F64: v.F64, Int: v.Int}
	switch {
	case v.F32 != nil:
		t.Dtype = graph.Float32
	case v.F64 != nil:
		t.Dtype = graph.Float64
	}
	return t
}

// jobsFolder is the variable that names a folder for the jobs of tests.
const jobsFolder = "SPOTLIGHTER_JOBS"

// Recording is where a test's jobs go: to a file of the test's name, where the
// environment names a folder, else nil.
var Recording = sync.OnceValues(func() (*Recorder, error) {
	dir := os.Getenv(jobsFolder)
	if dir == "" {
		return nil, nil
	}
	return NewRecorder(filepath.Join(dir, filepath.Base(os.Args[0])))
})

// Recorder writes jobs to a file, for Recorded to read in another process.
type Recorder struct {
	f *os.File
	w *gob.Encoder
}

// NewRecorder makes the file.
func NewRecorder(path string) (*Recorder, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &Recorder{f, gob.NewEncoder(f)}, nil
}

// Record writes a job.
func (r *Recorder) Record(j *Job) error {
	to := recorded{j.Name, j.List, nil, value{j.Want.Shape, nil, j.Want.F64, j.Want.Int}, j.Over, j.Tol, j.Status}
	for _, t := range j.In {
		to.In = append(to.In, value{t.Shape, t.F32, nil, t.Int})
	}
	if err := r.w.Encode(to); err != nil {
		return fmt.Errorf("%s: job %s: %w", r.f.Name(), j.Name, err)
	}
	return nil
}

// Recorded reads the jobs of a Recorder's file. They know what checks report by
// number, and no longer what that means.
func Recorded(path string) (jobs []*Job, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := gob.NewDecoder(bufio.NewReader(f))
	for {
		var from recorded
		switch err := d.Decode(&from); {
		case errors.Is(err, io.EOF):
			return jobs, nil
		case err != nil:
			return nil, fmt.Errorf("%s: job %d: %w", path, len(jobs), err)
		}
		j := &Job{from.Name, from.List, nil, from.Want.tensor(), from.Over, from.Tol, from.Status}
		for _, v := range from.In {
			j.In = append(j.In, v.tensor())
		}
		jobs = append(jobs, j)
	}
}
