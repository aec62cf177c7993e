#!/usr/bin/env python3
"""outside.py: every operator on data from outside, against an evaluator that is not this project's. Prints TAP.

usage: outside.py SAMEBITS SPECS

NumPy draws the data with its own generator, writes the files and reads the results. Two comparisons:
  - all ten operators with NumPy in binary64, within bounds that follow from the number of roundings;
  - those without exp and log bit for bit, with the trees written again in NumPy from docs/contract.md: one binary32 operation per
    node, many rows at a time.
Skipped where NumPy is missing.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction

try:
    import numpy as np
except ImportError:
    print("numpy is missing (apt-get install python3-numpy)")
    sys.exit(77)

samebits, specs = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
work = tempfile.mkdtemp(prefix="samebits-outside-")
os.chdir(work)
np.seterr(all="ignore")
F32, F64, EPSILON = np.float32, np.float64, 2.0 ** -24
count = failed = 0


def check(name, fine, why=""):
    global count, failed
    count += 1
    failed += not fine
    print(f"{'ok' if fine else 'not ok'} {count} - {name}", flush=True)
    if not fine:
        print("\n".join("#   " + line for line in str(why)[-1500:].splitlines()))


def run(*arguments):
    return subprocess.run([samebits, *arguments], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False)


# ---- the fused multiply-add of binary32, many at a time ----

def fma(a, b, c):
    """The product of two binary32 numbers is exact in binary64. Their sum with c is rounded to odd there (the error of the addition
    is known exactly, by Knuth's TwoSum), and a binary64 number rounded to odd rounds to binary32 as the exact sum does."""
    p, c = F64(a) * F64(b), F64(c)
    s = p + c
    back = s - p
    error = (p - (s - back)) + (c - back)
    bits = np.asarray(s).view(np.int64)
    even = (bits & 1) == 0
    away = (error > 0) == (s > 0)
    odd = np.where(even & (error != 0) & np.isfinite(s), np.where(away, bits + 1, bits - 1), bits)
    return odd.view(F64).astype(F32)


def fma_exactly(a, b, c):
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    near = F32(float(exact))  # at most one step away from the nearest
    steps = [np.nextafter(near, F32(-np.inf)), near, np.nextafter(near, F32(np.inf))]
    return min(steps, key=lambda one: (abs(Fraction(float(one)) - exact), int(one.view(np.int32)) & 1))


def check_fma():
    dice = np.random.default_rng(7)
    a, b = dice.standard_normal((2, 400)).astype(F32)
    c = (-(F64(a) * F64(b)) * (1 + dice.choice([0, 2.0 ** -20, 2.0 ** -24, 1], 400))).astype(F32)  # cancels, or nearly
    found = fma(a, b, c)
    check("the test's own fma is right", all(x == fma_exactly(*abc) for x, *abc in zip(found, a, b, c)))
    check("and not a product that is rounded first", (found != a * b + c).any())


# ---- trees, from docs/contract.md. Leaves and partials are lists of arrays: one array holds the same place of every row. ----

class Sum:
    start = F32(0)

    @staticmethod
    def step(acc, leaf):
        return fma(leaf[0], leaf[1], acc) if isinstance(leaf, tuple) else acc + leaf

    @staticmethod
    def join(p, q):
        return p + q


class SumF64(Sum):
    start = F64(0)

    @staticmethod
    def step(acc, leaf):  # a product of two binary32 numbers is exact in binary64
        return acc + (F64(leaf[0]) * F64(leaf[1]) if isinstance(leaf, tuple) else F64(leaf))


class Max:
    start = F32(-np.inf)
    step = join = staticmethod(np.maximum)


def seq(kind, leaves):
    acc = kind.start
    for leaf in leaves:
        acc = kind.step(acc, leaf)
    return acc


def pairwise(kind, parts):
    while len(parts) > 1:
        joined = [kind.join(*parts[i:i + 2]) for i in range(0, len(parts) - 1, 2)]
        parts = joined + ([parts[-1]] if len(parts) % 2 else [])
    return parts[0] if parts else kind.start


def halving(kind, parts):
    h = 1
    while 2 * h < len(parts):
        h *= 2
    parts = list(parts)
    while len(parts) > 1:
        parts = [kind.join(parts[i], parts[i + h]) if i + h < len(parts) else parts[i] for i in range(min(h, len(parts)))]
        h //= 2
    return parts[0]


def lanes(size, leaves_fold, fold):
    return lambda kind, leaves: fold(kind, [leaves_fold(kind, leaves[lane::size]) for lane in range(size)])


def chunk(size, inner, outer):
    return lambda kind, leaves: outer(kind, [inner(kind, leaves[i:i + size]) for i in range(0, len(leaves), size)])


TREES = {
    "chunk(64, seq, pairwise)": chunk(64, seq, pairwise),
    "chunk(48, lanes(8), pairwise)": chunk(48, lanes(8, seq, halving), pairwise),
    "lanes(12, seq, halving)": lanes(12, seq, halving),
}


def columns(x):
    """A list of leaves: column i of every row."""
    return [x[..., i] for i in range(x.shape[-1])]


def each_row(value):
    return F32(value)[..., None]


def bits_of(kind, tree):
    """The operators bit for bit: each reduction by `tree`, each other node one binary32 operation."""
    def total(x, y=None):
        leaves = columns(x) if y is None else list(zip(columns(x), columns(y)))
        return F32(np.broadcast_to(tree(kind, leaves), x.shape[:-1]))

    def largest(x):
        return np.broadcast_to(tree(Max, columns(x)), x.shape[:-1])

    def layernorm(x, weight, bias):
        d = x - each_row(total(x) / F32(x.shape[-1]))
        variance = total(d, d) / F32(x.shape[-1])
        return (d * each_row(F32(1) / np.sqrt(variance + F32(1e-5)))) * weight + bias

    def rmsnorm(x, weight):
        mean = total(x, x) / F32(x.shape[-1])
        return (x * each_row(F32(1) / np.sqrt(mean + F32(1e-6)))) * weight

    def linear(x, w):
        return np.stack([total(x, np.broadcast_to(row, x.shape)) for row in w], axis=-1)

    return {"sum": total, "mean": lambda x: total(x) / F32(x.shape[-1]), "max": largest, "dot": total,
            "l2norm": lambda x: np.sqrt(total(x, x)), "rmsnorm": rmsnorm, "layernorm": layernorm, "linear": linear}


# ---- the operators in binary64: the value, and what its error is relative to ----

def real_softmax(x):
    below = x - x.max(-1, keepdims=True)
    value = np.exp(below) / np.exp(below).sum(-1, keepdims=True)
    return value, value * (1 - below)  # exp turns absolute errors into relative ones


def real_logsumexp(x):
    most = x.max(-1)
    value = most + np.log(np.exp(x - most[:, None]).sum(-1))
    return value, np.abs(value) + 1


def real_layernorm(x, weight, bias):
    d = x - x.mean(-1, keepdims=True)
    scale = 1 / np.sqrt((d * d).mean(-1, keepdims=True) + 1e-5)
    return d * scale * weight + bias, (np.abs(x) + np.abs(x).max(-1, keepdims=True)) * scale * np.abs(weight) + np.abs(bias)


def real_rmsnorm(x, weight):
    value = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * weight
    return value, np.abs(value)


# In the order of the specs' inputs; each input's shape as letters: r rows, c columns, n outputs.
OPERATORS = {
    "sum": ({"x": "rc"}, lambda x: (x.sum(-1), np.abs(x).sum(-1))),
    "mean": ({"x": "rc"}, lambda x: (x.mean(-1), np.abs(x).mean(-1))),
    "max": ({"x": "rc"}, lambda x: (x.max(-1), 0 * x.max(-1))),
    "l2norm": ({"x": "rc"}, lambda x: (np.sqrt((x * x).sum(-1)),) * 2),
    "dot": ({"x": "rc", "w": "rc"}, lambda x, w: ((x * w).sum(-1), np.abs(x * w).sum(-1))),
    "linear": ({"x": "rc", "w": "nc"}, lambda x, w: (x @ w.T, np.abs(x) @ np.abs(w).T)),
    "logsumexp": ({"x": "rc"}, real_logsumexp),
    "rmsnorm": ({"x": "rc", "weight": "c"}, real_rmsnorm),
    "layernorm": ({"x": "rc", "weight": "c", "bias": "c"}, real_layernorm),
    "softmax": ({"x": "rc"}, real_softmax),
}

# ---- calls ----

ROWS, OUTPUTS = 9, 5
dice = np.random.default_rng(20240229)
targets = ["c"] + (["avx2"] if "yes  avx2" in run("doctor").stdout else [])


def draw(letters, size):
    shape = tuple({"r": ROWS, "n": OUTPUTS, "c": size}[letter] for letter in letters)
    return (dice.standard_normal(shape) * dice.choice([10, 1, 1, 0.1], shape)).astype(F32)


def same_bits(a, b):
    return a.shape == b.shape and bool(((a.view(np.int32) == b.view(np.int32)) | (np.isnan(a) & np.isnan(b))).all())


def call(name, data, target, tree, accumulator):
    for key, value in data.items():
        np.save(f"{key}.npy", value)
    done = run("call", os.path.join(specs, f"{name}.lua"), *[f"{key}={key}.npy" for key in data], "-o", "y=y.npy", "-a",
               f"target={target}", "-a", f"tree={tree}", "-a", f"accumulator={accumulator}")
    if done.returncode != 0:
        return None, done.stderr
    y = np.load("y.npy")
    return (y, "") if y.dtype == F32 and y.flags.c_contiguous else (None, f"dtype {y.dtype}, {y.flags}")


def check_near(title, y, data, real, roundings):
    value, scale = real(*[F64(one) for one in data.values()])
    bound = EPSILON * (np.abs(value) + roundings * scale)
    check(title, y.shape == value.shape and bool((np.abs(y - value) <= bound).all()),
          f"{y.shape} {value.shape} {np.abs(y - value).max() if y.shape == value.shape else ''}")


def check_operator(name, target, tree, accumulator, size):
    letters, real = OPERATORS[name]
    data = {key: draw(shape, size) for key, shape in letters.items()}
    title = f"{name} on {target}, {tree}, {accumulator}, {size} columns"
    y, why = call(name, data, target, tree, accumulator)
    if y is None:
        check(title, False, why)
        return
    check_near(f"{title}: as NumPy in binary64", y, data, real, 0 if name == "max" else size + 4)
    bits = bits_of(SumF64 if accumulator == "f64" else Sum, TREES[tree]).get(name)
    if bits:
        expected = bits(*data.values())
        check(f"{title}: bit for bit as NumPy", same_bits(y, expected), f"{y.ravel()[:6]} {expected.ravel()[:6]}")


check_fma()
telling = draw("rc", 777)
check("the data tell the trees apart", len({bits_of(Sum, tree)["sum"](telling).tobytes() for tree in TREES.values()}) == len(TREES))
for operator in OPERATORS:
    for one_target in targets:
        check_operator(operator, one_target, "chunk(64, seq, pairwise)", "f32", 777)
    check_operator(operator, targets[-1], "chunk(48, lanes(8), pairwise)", "f32", 389)
    check_operator(operator, targets[-1], "lanes(12, seq, halving)", "f64", 130)

# ---- reductions over several dims: leaves in row-major order of the dims as they are written ----

SEVERAL = {
    "together": ('y = sum(c, w, x)', lambda x, weight, total: total(x.reshape(len(x), -1))),
    "other order": ('y = sum(w, c, x)', lambda x, weight, total: total(x.transpose(0, 2, 1).reshape(len(x), -1))),
    "first and last": ('y = sum(n, w, x)', lambda x, weight, total: total(x.transpose(1, 0, 2).reshape(x.shape[1], -1))),
    "product over all": ('y = sum(n, c, w, x * x)', lambda x, weight, total: total(x.reshape(-1), x.reshape(-1))),
    "scaled by a dim of the row": ('y = (x - sum(c, w, x) / (c * w)) * weight', lambda x, weight, total: (
        x - (total(x.reshape(len(x), -1)) / (F32(x.shape[1]) * F32(x.shape[2])))[:, None, None]) * weight[:, None]),
}
SEVERAL_SPEC = """local n, c, w = dim "n", dim "c", dim "w"
local x = input("x", n, c, w)
%s
return kernel "several" { output = { %s }, tree = lanes(32), target = { "c", "avx2" } }
"""


def check_several(name, target, tree):
    text, expected = SEVERAL[name]
    has_weight = "weight" in text
    with open("several.lua", "w", encoding="utf-8") as file:
        file.write(SEVERAL_SPEC % ('local weight = input("weight", c)' if has_weight else "", text))
    x, weight = dice.standard_normal((4, 7, 45)).astype(F32), dice.standard_normal(7).astype(F32)
    np.save("x.npy", x)
    np.save("weight.npy", weight)
    done = run("call", "several.lua", "x=x.npy", *(["weight=weight.npy"] if has_weight else []), "-o", "y=y.npy", "-a", f"target={target}",
               "-a", f"tree={tree}")
    wanted = np.asarray(expected(x, weight, bits_of(Sum, TREES[tree])["sum"]))
    check(f"several dims, {name}, on {target}, {tree}: bit for bit as NumPy",
          done.returncode == 0 and same_bits(np.load("y.npy"), wanted), done.stderr or (np.load("y.npy").ravel()[:4], wanted.ravel()[:4]))


for one_target in targets:
    for several in SEVERAL:
        for one_tree in TREES:
            check_several(several, one_target, one_tree)

# ---- values that are no ordinary numbers, and arrays without elements ----

x = draw("rc", 777)
x[0, 5], x[1, 700], x[2, 3], x[2, 4], x[3] = np.nan, np.inf, np.inf, -np.inf, F32(-0.0)
x[4] *= F32(1e-42)
for one_target in targets:
    for operator in ("sum", "max", "l2norm"):
        y, why = call(operator, {"x": x}, one_target, "chunk(64, seq, pairwise)", "f32")
        check(f"{operator} on {one_target}: NaN, infinities, signed zeros, subnormals as NumPy", y is not None and
              same_bits(y, bits_of(Sum, TREES["chunk(64, seq, pairwise)"])[operator](x)), why or y)
    for shape in ((0, 4), (4, 0), (1, 1), (0, 0)):
        x = np.full(shape, 2.5, F32)
        y, why = call("sum", {"x": x}, one_target, "chunk(64, seq, pairwise)", "f32")
        check(f"sum on {one_target} of an array of shape {shape}", y is not None and same_bits(y, x.sum(-1)), why or y)

# ---- files as NumPy writes them that are no such arrays ----

x = draw("rc", 64)
np.save("y.npy", x)
before = open("y.npy", "rb").read()
wrong = {"big-endian": x.astype(">f4"), "Fortran": np.asfortranarray(x), "float64": F64(x), "float16": x.astype(np.float16),
         "complex64": x.astype(np.complex64), "int32": x.astype(np.int32), "bool": x > 0, "rank": x[0], "scalar": x[0, 0]}
for reason, array in wrong.items():
    np.save("x.npy", array)
    answer = run("call", os.path.join(specs, "sum.lua"), "x=x.npy", "-o", "y=y.npy", "-a", "target=c", "-a", "tree=seq")
    check(f"a file that is {reason} is refused with its name", answer.returncode == 2 and "x.npy" in answer.stderr, answer.stderr)
check("and the output that was there stays as it was", open("y.npy", "rb").read() == before)

shutil.rmtree(work)
print(f"1..{count}")
sys.exit(failed > 0)
