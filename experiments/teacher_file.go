package experiments

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"spotlighter/graph"
	"spotlighter/internal/weights"
)

// What a run keeps of its teacher: the class texts, so that it can be put to work
// without it.
const (
	teacherFile  = "teacher.safetensors"
	teacherTexts = "texts"
	teacherNames = "classes"
)

func writeTeacher(dir string, names []string, text graph.Tensor) error {
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	values := map[string]weights.Tensor{teacherTexts: {Shape: text.Shape, Data: text.F32}}
	return weights.Save(filepath.Join(dir, teacherFile), values, map[string]string{teacherNames: string(list)}, "F32")
}

func readTeacher(dir string) (*teacher, error) {
	path := filepath.Join(dir, teacherFile)
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x, err := f.Tensor(teacherTexts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var names []string
	if err := json.Unmarshal([]byte(f.Metadata()[teacherNames]), &names); err != nil {
		return nil, fmt.Errorf("%s: metadata %s: %w", path, teacherNames, err)
	}
	if len(x.Shape) != 2 || x.Shape[0] != len(names) {
		return nil, fmt.Errorf("%s: %s is %v, want a row for each of %d classes", path, teacherTexts, x.Shape, len(names))
	}
	t := &teacher{known: map[string][]float32{}, width: x.Shape[1]}
	t.keep(names, graph.Floats(x.Data, x.Shape...))
	return t, nil
}
