-- The largest value of each row. Any NaN gives NaN; +0 is above -0. A maximum never rounds, so all
-- trees agree; they differ in speed alone.
local rows, cols = dim "rows", dim "cols"
local x = input("x", rows, cols)

return kernel "max" {
  output = { y = max(cols, x) },
  tree   = { chunk(1024, lanes(32), pairwise), lanes(32), lanes(64) },
  target = { "c", "avx2" },
  bench  = { shape = { { rows = 512, cols = 1024 }, { rows = 4096, cols = 4096 } } },
}
