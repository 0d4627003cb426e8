package tiny_test

import (
	"fmt"

	"spotlighter/internal/tiny"
)

// A task is a data set of the rendered world: its classes, and any image of any of
// them, the same on every machine.
func ExampleFindTask() {
	t, err := tiny.FindTask("tuning-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	names := t.ClassNames()
	fmt.Println(len(names), "classes, such as", names[0])
	_, err = tiny.FindTask("tuning-9")
	fmt.Println(err)
	// Output:
	// 32 classes, such as striped yellow triangle
	// task "tuning-9": neither a file nor one of clutter, dusk, fog, tuning-1, tuning-2, tuning-3, tuning-4
}
