-- The logarithm of each row's sum of exponentials. The row's maximum is taken out first, so that no
-- exponential overflows.
local rows, cols = dim "rows", dim "cols"
local x = input("x", rows, cols)
local m = max(cols, x)

return kernel "logsumexp" {
  output = { y = m + log(sum(cols, exp(x - m))) },
  tree   = { chunk(1024, lanes(32), pairwise), lanes(32), chunk(256, lanes(32), seq), lanes(64) },
  target = { "c", "avx2" },
  bench  = { shape = { { rows = 512, cols = 1024 }, { rows = 4096, cols = 4096 } } },
}
