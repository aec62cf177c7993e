-- Six ways to reduce a row for RMSNorm, compared: time, differences from run to run, differences from the
-- standard. "completion order" joins partial results under a lock as they finish; it promises nothing.
local rows, cols = dim "rows", dim "cols"
local x, weight = input("x", rows, cols), input("weight", cols)
local eps       = param("eps", 1e-6)
local scale     = 1 / sqrt(sum(cols, x * x) / cols + eps)

return kernel "rmsnorm" {
  output = { y = (x * scale) * weight },
  tree   = {
    named("standard", seq),
    named("chunk 64, index order", chunk(64, seq, seq)),
    named("chunk 64, completion order", chunk(64, seq, completion)),
    named("chunk 64, pairwise", chunk(64, seq, pairwise)),
    named("chunk 64, one vector fold", chunk(64, seq, lanes(8))),
    named("element by element", chunk(1, seq, seq)),
  },
  target = { "avx2" },
  bench  = { shape = { { rows = 256, cols = 512 } }, data = "mixed", compare = "methods" },
}
