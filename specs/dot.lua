-- The dot product of each row of x with the same row of w. Each step is one fused multiply-add.
local rows, cols = dim "rows", dim "cols"
local x, w = input("x", rows, cols), input("w", rows, cols)

return kernel "dot" {
  output = { y = sum(cols, x * w) },
  tree   = { chunk(1024, lanes(32), pairwise), lanes(32), chunk(256, lanes(32), seq), pairwise },
  target = { "c", "avx2" },
  bench  = { shape = { { rows = 512, cols = 1024 }, { rows = 64, cols = 65536 } } },
}
