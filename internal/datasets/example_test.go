package datasets_test

import (
	"fmt"
	"os"
	"path/filepath"

	"spotlighter/internal/datasets"
)

// A folder of class folders is a data set. The first half of the classes are the
// base classes.
func ExampleOpen() {
	root, err := os.MkdirTemp("", "pets")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	for _, name := range []string{"train/cat/1.jpg", "train/dog/1.jpg", "test/cat/2.jpg", "test/dog/2.jpg"} {
		file := filepath.Join(root, name)
		os.MkdirAll(filepath.Dir(file), 0o755)
		os.WriteFile(file, nil, 0o644)
	}
	d, err := datasets.Open("folder", root, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	base, err := d.Subset(datasets.Base)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v %+v\n", d.Classes, d.Size())
	fmt.Printf("%v %+v\n", base.Classes, base.Size())
	// Output:
	// [cat dog] {Classes:2 Train:2 Val:0 Test:2}
	// [cat] {Classes:1 Train:1 Val:0 Test:1}
}
