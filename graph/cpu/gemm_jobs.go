package cpu

import "sync"

// jobs are those of a Pool that are not in work.
type jobs struct {
	mu   sync.Mutex
	free []*job
}

// take returns a job without a product.
func (s *jobs) take() *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		j := s.free[n-1]
		s.free = s.free[:n-1]
		return j
	}
	j := new(job)
	j.packTask, j.tileTask, j.itemTask, j.dotTask = j.packUnits, j.tiles, j.items, j.dots
	return j
}

// give keeps the job, and nothing of its product, for another one.
func (s *jobs) give(j *job) {
	j.GemmArgs, j.packed = GemmArgs[float32]{}, nil
	s.mu.Lock()
	s.free = append(s.free, j)
	s.mu.Unlock()
}
