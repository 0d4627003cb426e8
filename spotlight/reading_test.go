package spotlight

// oneReading is the method as the reference implementation has it: one reading
// an image, under contrast, from the design's start values.
func oneReading() Config {
	c := Default()
	c.Contrast, c.Candidates, c.Strength, c.Beta, c.Balance, c.Evidence, c.Centre, c.TextStep = true, 1, 3, .5, 50, 0, 0, .3
	return c
}
