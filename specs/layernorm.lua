-- Each row with its mean taken out and divided by its standard deviation, times a weight and plus a bias per
-- column. The second reduction needs the first: the variance is taken around the mean, not as E[x^2] - E[x]^2,
-- which cancels.
local rows, cols = dim "rows", dim "cols"
local x            = input("x", rows, cols)
local weight, bias = input("weight", cols), input("bias", cols)
local eps          = param("eps", 1e-5)
local d            = x - sum(cols, x) / cols
local var          = sum(cols, d * d) / cols

return kernel "layernorm" {
  output = { y = ((d * (1 / sqrt(var + eps))) * weight) + bias },
  tree   = { chunk(1024, lanes(32), pairwise), lanes({ 32, 64 }), chunk(256, lanes(32), seq) },
  target = { "c", "avx2" },
  bench  = { shape = { { rows = 512, cols = 1024 }, { rows = 4096, cols = 4096 } } },
}
