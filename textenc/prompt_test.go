package textenc_test

import (
	"slices"
	"testing"

	"spotlighter/textenc"
)

func TestPrompts(t *testing.T) {
	p, err := textenc.NewPrompts([][]int{{7, 1, 8}, {7, 1, 2, 3, 8}, {7, 8}}, 5)
	if err != nil {
		t.Fatal(err)
	}
	ids, eot := p.IDTensor(), p.EOTTensor()
	if !slices.Equal(ids.Shape, []int{3, 5}) || !slices.Equal(ids.Int, []int{7, 1, 8, 0, 0, 7, 1, 2, 3, 8, 7, 8, 0, 0, 0}) {
		t.Errorf("ids %v %v", ids.Shape, ids.Int)
	}
	if !slices.Equal(eot.Shape, []int{3, 1}) || !slices.Equal(eot.Int, []int{2, 4, 1}) {
		t.Errorf("ends %v %v", eot.Shape, eot.Int)
	}
}

func TestPromptsRefused(t *testing.T) {
	for want, ids := range map[string][][]int{
		"prompt 1 has 4 tokens, the text encoder takes 3": {{7, 8}, {7, 1, 2, 8}},
		"prompt 0 is empty": {{}, {7, 8}},
		"no prompts":        nil,
	} {
		if _, err := textenc.NewPrompts(ids, 3); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}
