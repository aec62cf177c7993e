-- Where batch invariance breaks: chunks of a fixed size, a fixed number of parts, and a number of parts that
-- is chosen from the rows and the workers, each on one sequence and on several at once.
local rows, cols = dim "rows", dim "cols"
local x, weight = input("x", rows, cols), input("weight", cols)
local eps       = param("eps", 1e-6)
local scale     = 1 / sqrt(sum(cols, x * x) / cols + eps)

return kernel "rmsnorm" {
  output = { y = (x * scale) * weight },
  tree   = { chunk({ 32, 64, 128 }, seq, seq), split({ 2, 4, 8 }, seq, seq), split(auto, seq, seq) },
  target = { "c" },
  bench  = {
    shape = { { rows = 256, cols = 512 } }, data = "mixed",
    compare = "batch", batch = { 1, 2, 4, 8 },
  },
}
