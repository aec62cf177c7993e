-- Exponentials of each row, divided by their sum. The row's maximum is taken out first.
local rows, cols = dim "rows", dim "cols"
local x = input("x", rows, cols)
local e = exp(x - max(cols, x))

return kernel "softmax" {
  output = { y = e * (1 / sum(cols, e)) },
  tree   = { chunk(1024, lanes(32), pairwise), lanes(32), chunk(256, lanes(32), seq), lanes(64) },
  target = { "c", "avx2" },
  bench  = { shape = { { rows = 512, cols = 1024 }, { rows = 4096, cols = 4096 } } },
}
