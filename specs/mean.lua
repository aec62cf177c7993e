-- The mean of each row.
local rows, cols = dim "rows", dim "cols"
local x = input("x", rows, cols)

return kernel "mean" {
  output = { y = sum(cols, x) / cols },
  tree   = { chunk(1024, lanes(32), pairwise), lanes(32), chunk(256, lanes(32), seq), pairwise },
  target = { "c", "avx2" },
  bench  = { shape = { { rows = 512, cols = 1024 }, { rows = 4096, cols = 4096 } } },
}
