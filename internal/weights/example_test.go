package weights_test

import (
	"fmt"
	"os"
	"path/filepath"

	"spotlighter/internal/weights"
)

// A checkpoint of any kind is opened by its content; tensors are read one by one.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "weights")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "two.safetensors")
	err = weights.Save(path, map[string]weights.Tensor{"head.weight": {Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}}}, nil, "F32")
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := weights.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	x, err := f.Tensor("head.weight")
	fmt.Println(f.Names(), x.Shape, x.Data, err)
	_, err = f.Tensor("head.bias")
	fmt.Println(err != nil)
	// Output:
	// [head.weight] [2 2] [1 2 3 4] <nil>
	// true
}
