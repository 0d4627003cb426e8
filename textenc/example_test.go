package textenc_test

import (
	"fmt"

	"spotlighter/textenc"
)

// CLIP's ids of a text, without the marks around them.
func ExampleTokenizer_Encode() {
	t, err := textenc.NewTokenizer()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Encode("a photo of a Dog"))
	fmt.Println(t.Encode("a photo of a <|endoftext|>"))
	// Output:
	// [320 1125 539 320 1929]
	// [320 1125 539 320 49407]
}

// Ids go back to text, a word with the space that follows it.
func ExampleTokenizer_Decode() {
	t, err := textenc.NewTokenizer()
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := t.Decode([]int{320, 1125, 539, 320, 1929})
	fmt.Printf("%q %v\n", text, err)
	// Output:
	// "a photo of a dog " <nil>
}
