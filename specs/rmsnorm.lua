-- Each row divided by its root mean square, times a weight per column.
local rows, cols = dim "rows", dim "cols"
local x, weight = input("x", rows, cols), input("weight", cols)
local eps       = param("eps", 1e-6)
local scale     = 1 / sqrt(sum(cols, x * x) / cols + eps)

return kernel "rmsnorm" {
  output = { y = (x * scale) * weight },
  tree   = { chunk(1024, lanes(32), pairwise), lanes({ 32, 64 }), chunk(256, lanes(32), { seq, pairwise }) },
  target = { "c", "avx2" },
  bench  = {
    shape = {
      { rows = 64, cols = 4096 }, { rows = 256, cols = 512 },
      { rows = 512, cols = 1024 }, { rows = 4096, cols = 4096 },
    },
  },
}
