-- A linear layer without bias: y[m, n] is the dot product of row m of x with row n of w. Two parallel axes;
-- the tree orders the reduced one.
local m, n, k = dim "m", dim "n", dim "k"
local x, w = input("x", m, k), input("w", n, k)

return kernel "linear" {
  output = { y = sum(k, x * w) },
  tree   = { chunk(1024, lanes(32), pairwise), lanes(32), chunk(256, seq, seq) },
  target = { "c", "avx2" },
  bench  = { shape = { { m = 1, n = 1024, k = 1024 }, { m = 64, n = 256, k = 1024 } } },
}
