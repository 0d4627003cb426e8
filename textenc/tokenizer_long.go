package textenc

import "container/heap"

// longWord is the number of bytes from which a word is merged with a queue. No
// word of a language is as long; a text without spaces is.
const longWord = 64

// candidate is a pair of neighbours that could be merged into id.
type candidate struct {
	id, left int // left: position of the pair's first symbol
	right    int // of its second, to see whether it is still there
}

// queue orders candidates by rank, then from left to right.
type queue []candidate

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].id < q[j].id || q[i].id == q[j].id && q[i].left < q[j].left
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(candidate)) }
func (q *queue) Pop() any {
	old := *q
	c := old[len(old)-1]
	*q = old[:len(old)-1]
	return c
}

// mergeLong gives the ids that merge gives, in n log n steps. A merge's own
// pairs always have a higher rank than it, so taking one pair at a time, the
// lowest first, is the same as taking all occurrences of one rank at once.
func (v *vocabulary) mergeLong(ids []int) []int {
	n := len(ids)
	next, before := make([]int, n), make([]int, n) // a list of the symbols that are left
	var q queue
	offer := func(left, right int) {
		if id, ok := v.pairs[[2]int{ids[left], ids[right]}]; ok {
			q = append(q, candidate{id, left, right})
		}
	}
	for i := range n {
		next[i], before[i] = i+1, i-1
		if i > 0 {
			offer(i-1, i)
		}
	}
	heap.Init(&q)
	for len(q) > 0 {
		c := heap.Pop(&q).(candidate)
		// A symbol that was merged away has id -1, and one that grew makes
		// another pair: then the candidate is stale.
		if ids[c.left] < 0 || c.right >= n || ids[c.right] < 0 || next[c.left] != c.right ||
			v.pairs[[2]int{ids[c.left], ids[c.right]}] != c.id {
			continue
		}
		ids[c.left], ids[c.right] = c.id, -1
		next[c.left] = next[c.right]
		if r := next[c.left]; r < n {
			before[r] = c.left
			if id, ok := v.pairs[[2]int{c.id, ids[r]}]; ok {
				heap.Push(&q, candidate{id, c.left, r})
			}
		}
		if l := before[c.left]; l >= 0 {
			if id, ok := v.pairs[[2]int{ids[l], c.id}]; ok {
				heap.Push(&q, candidate{id, l, c.left})
			}
		}
	}
	out := make([]int, 0, n/2)
	for i := 0; i < n; i = next[i] {
		out = append(out, ids[i])
	}
	return out
}
